"""Money: integer minor units, and the currencies' exponents as Stripe has them.

Stripe's list of zero-decimal and three-decimal currencies: https://docs.stripe.com/currencies
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

# Exact for every amount that fits a bigint with the precision that credits and prices have.
EXACT = Context(prec=60)


def parse_currency(text: str) -> str:
    """A currency code as Stripe writes it: three lower-case letters.

    Raises:
        InputError: it is not three letters.
    """
    code = text.strip()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise InputError(f"{text!r} is not a currency: write an ISO 4217 code such as usd")
    return code.lower()


def exponent(currency: str) -> int:
    """How many decimals the currency's minor unit has: 0, 2 or 3."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def to_minor(major: Decimal, currency: str) -> int:
    """Major units as integer minor units, rounded once, half-up."""
    scaled = major.scaleb(exponent(currency), context=EXACT)
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT))


def parse_amount(text: str, currency: str) -> int:
    """Major units as a person writes them, as minor units, exactly.

    Raises:
        InputError: it is no number, or more exact than the currency.
    """
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{text!r} is not an amount: write digits, and a point if need be")
    minor = Decimal(text).scaleb(exponent(currency), context=EXACT)
    if minor != minor.to_integral_value():
        raise InputError(f"{text!r} has more decimals than {currency.upper()} has, {exponent(currency)}")
    return int(minor)


def to_major(minor: int, currency: str) -> Decimal:
    """Integer minor units as major units, exactly."""
    return Decimal(minor).scaleb(-exponent(currency), context=EXACT)


def format_amount(minor: int, currency: str) -> str:
    """For people: `12.34 USD`, `1,200 JPY`."""
    return f"{to_major(minor, currency):,f} {currency.upper()}"
