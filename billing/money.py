"""Money: integer minor units, with the exponents that Stripe uses for each currency.

Stripe lists the zero-decimal and three-decimal currencies at https://docs.stripe.com/currencies
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

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")

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


def to_minor(major: Decimal, currency: str) -> int:
    """Convert major units to integer minor units, rounded once, half-up."""
    scaled = major.scaleb(exponent(currency), context=EXACT)
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT))


def parse_amount(text: str, currency: str) -> int:
    """Convert major units, as a person writes them, to minor units, exactly.

    Raises:
        InputError: `text` is not a number, or has more decimals than the currency.
    """
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{text!r} is not an amount: write digits with an optional decimal point")
    minor = Decimal(text).scaleb(exponent(currency), context=EXACT)
    if minor != minor.to_integral_value():
        raise InputError(f"{text!r} has too many decimals: {currency.upper()} has {exponent(currency)}")
    return int(minor)


def to_major(minor: int, currency: str) -> Decimal:
    """Convert integer minor units to major units, exactly."""
    return Decimal(minor).scaleb(-exponent(currency), context=EXACT)


def format_amount(minor: int, currency: str) -> str:
    """Format an amount for people: `12.34 USD`, `1,200 JPY`."""
    return f"{to_major(minor, currency):,f} {currency.upper()}"
