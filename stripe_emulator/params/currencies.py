"""The amounts that Stripe charges in each currency, as https://docs.stripe.com/currencies has them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from stripe_emulator.errors import StripeError

# In minor units; `minimum_charge` has the minimum of all other currencies.
_MINIMUM = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip


SUPPORTED = frozenset(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny
    cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd
    jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad
    ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl
    thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
    """.split()
)


def minimum_charge(currency: str) -> int:
    """Return the amount in minor units below which an invoice is not charged but moved to the customer's balance."""
    return _MINIMUM.get(currency, 50)


_WHOLE_UNITS = frozenset(["isk", "ugx"])
_THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
_MOST_DIGITS = {"idr": 12, "cop": 10, "inr": 9}
_SPECIAL = "See https://stripe.com/docs/currencies#special-cases for more information."


def step(currency: str) -> int:
    """Return the minor units of which only multiples are charged: 100 in ISK and UGX, 10 with three decimals, or 1."""
    if currency in _WHOLE_UNITS:
        return 100
    return 10 if currency in _THREE_DECIMAL else 1


def to_step(amount: Decimal | int, currency: str) -> int:
    """Return an amount in minor units, rounded half up to a multiple of the currency's step."""
    unit = step(currency)
    return int((Decimal(amount) / unit).quantize(Decimal(1), ROUND_HALF_UP)) * unit


def check_amount(amount: int, currency: str, param: str | None = None) -> None:
    """Refuse an amount in minor units that cannot be charged.

    Raises:
        StripeError: it is no multiple of the currency's step, or above the largest amount.
    """
    code = currency.upper()
    if currency in _WHOLE_UNITS and amount % 100:
        raise StripeError(
            f"Invalid amount. Currency {code} has become effectively zero-decimal and charged amounts must be evenly "
            f"divisible by 100. {_SPECIAL}",
            code="invalid_charge_amount_no_decimal_compatible",
            param=param,
        )
    if amount % step(currency):
        raise StripeError(
            f"Invalid amount. Currency {code} has three decimals, and amounts must be divisible by 10. {_SPECIAL}",
            param=param,
        )
    largest = 10 ** _MOST_DIGITS.get(currency, 8) - 1
    if abs(amount) > largest:
        message = f"Amount must be no more than {largest} in the minor unit of {code}."
        raise StripeError(message, code="amount_too_large", param=param)
