"""The smallest amounts that Stripe charges."""

from __future__ import annotations

# Minor units; a currency that is not listed has the minimum of its kind below.
_MINIMUM = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip


def minimum_charge(currency: str) -> int:
    """Below this amount (minor units) an invoice is not charged but carried on the customer's balance."""
    return _MINIMUM.get(currency, 50)
