"""Money: integer minor units, with the exponents that Stripe uses for each currency, and what Stripe can charge.

Stripe lists the zero-decimal and three-decimal currencies, the special cases and the largest amounts at
https://docs.stripe.com/currencies
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from billing.errors import InputError

# fmt: off
_ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga",
     "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
# fmt: on
_THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# "Backward compatibility requires you to represent it as a two-decimal value, where the decimal amount is always 00."
# HUF and TWD have whole units in payouts only.
_WHOLE_UNITS = frozenset(["isk", "ugx"])
# Of every payment method. Cards take up to 12 digits, if their network does.
_MOST_DIGITS = {"idr": 12, "cop": 10, "inr": 9}

_NUMBER = re.compile(r"[0-9]{1,15}([.,][0-9]{1,12})?")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")

# Exact for every amount that fits a bigint, at the precision of credits and prices.
EXACT = Context(prec=60)


def parse_currency(text: str) -> str:
    """Return the currency code as Stripe writes it: three lower-case letters.

    Raises:
        InputError: `text` is not three letters.
    """
    code = text.strip()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise InputError(f"{text!r} is not a currency: write an ISO 4217 code such as usd")
    return code.lower()


def exponent(currency: str) -> int:
    """Return the number of decimals of the currency: 0, 2 or 3."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def exponents() -> dict[str, int]:
    """Return the number of decimals of every currency that does not have 2."""
    return dict.fromkeys(_ZERO_DECIMAL, 0) | dict.fromkeys(_THREE_DECIMAL, 3)


def step(currency: str) -> int:
    """Return the currency's step: the minor units of which Stripe charges multiples only. 1, 10 or 100."""
    if currency in _WHOLE_UNITS:
        return 100
    return 10 if currency in _THREE_DECIMAL else 1


def maximum(currency: str) -> int:
    """Return the largest amount, in minor units, that Stripe charges by every payment method."""
    return int(10 ** _MOST_DIGITS.get(currency, 8)) - 1


def to_minor(major: Decimal, currency: str, multiple_of: int | None = None) -> int:
    """Convert major units to integer minor units, rounded once, half-up, to a multiple of the currency's step.

    `multiple_of`: the step of an amount that was rounded earlier, in place of the currency's.
    """
    unit = Decimal(step(currency) if multiple_of is None else multiple_of)
    steps = EXACT.divide(major.scaleb(exponent(currency), context=EXACT), unit)
    return int(steps.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT) * unit)


def parse_amount(text: str, currency: str) -> int:
    """Convert major units, as a person writes them (`12.34` or `12,34`), to minor units, exactly.

    Raises:
        InputError: `text` is not a number, has more decimals than the currency, or is not a multiple of its step; or
            its comma could separate thousands.
    """
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{text!r} is not an amount: write digits with an optional decimal point")
    if _THOUSANDS.fullmatch(text):
        raise InputError(f"{text!r} has two meanings: write {text.replace(',', '')} or {text.replace(',', '.')}")
    minor = Decimal(text.replace(",", ".")).scaleb(exponent(currency), context=EXACT)
    unit = step(currency)
    if unit == 1 and minor != minor.to_integral_value():
        raise InputError(f"{text!r} has too many decimals: {currency.upper()} has {exponent(currency)}")
    if EXACT.remainder(minor, Decimal(unit)):
        raise InputError(f"{text!r} cannot be charged: Stripe takes multiples of {format_amount(unit, currency)} only")
    return int(minor)


def to_major(minor: int, currency: str) -> Decimal:
    """Convert integer minor units to major units, exactly."""
    return Decimal(minor).scaleb(-exponent(currency), context=EXACT)


def format_amount(minor: int, currency: str) -> str:
    """Format an amount for people: `12.34 USD`, `1,200 JPY`, `3,756 ISK`; a fraction of ISK only if there is one."""
    major = to_major(minor, currency)
    if currency in _WHOLE_UNITS and minor % step(currency) == 0:
        return f"{major:,.0f} {currency.upper()}"
    return f"{major:,f} {currency.upper()}"
