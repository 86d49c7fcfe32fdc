"""Figures, instants and lengths of time as a statement shows them."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal

from billing.invoice.adjustments import adjustment_in_words
from billing.money import exponent, format_amount, to_major
from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine
from billing.report.canonical import format_decimal
from billing.statement.model import StatementItem, item_decimals

_SECOND_US = 1_000_000
_MINUTES_US = Decimal(60 * _SECOND_US)
_MINUTES = Decimal("0.000001")


def day(at: datetime, zone: tzinfo) -> str:
    """Return an instant's day: `1 May 2022`."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%B} {local.year}"


def instant(at: datetime, zone: tzinfo) -> str:
    """Return an instant to the minute, without its zone: `2022-05-01 00:00`."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def length(duration_us: int, *, seconds: bool) -> str:
    """Return a length of time, rounded half up: `8:30`, or with `seconds` `8:30:00`."""
    unit = _SECOND_US if seconds else 60 * _SECOND_US
    count = (duration_us + unit // 2) // unit
    if not seconds:
        return f"{count // 60:,}:{count % 60:02}"
    return f"{count // 3600:,}:{count // 60 % 60:02}:{count % 60:02}"


def minutes(metered_us: Decimal) -> str:
    """Return minutes of time by quantity, to six decimals: `35,758.666667`."""
    exact = (metered_us / _MINUTES_US).quantize(_MINUTES)
    return f"{Decimal(format_decimal(exact)):,f}"


def exact_minutes(duration_us: int) -> Decimal:
    """Return minutes to six decimals, for a spreadsheet."""
    return (Decimal(duration_us) / _MINUTES_US).quantize(_MINUTES)


def money(minor: int, currency: str) -> str:
    """Return an amount in the decimals of its currency, with a true minus sign and without the currency's name."""
    text = format_amount(abs(minor), currency).rpartition(" ")[0]
    return f"\u2212{text}" if minor < 0 else text


def priced(minor: int, currency: str) -> str:
    """Return an amount with its currency: `−3.06 USD`."""
    return f"{money(minor, currency)} {currency.upper()}"


def share(amount: Decimal, currency: str) -> str:
    """Return the amount of an item or a rest, in major units, with all its decimals."""
    return signed(f"{amount:,.{item_decimals(currency)}f}")


def credits_of(amount: Decimal) -> str:
    """Return credits with six decimals."""
    return signed(f"{amount:,.6f}")


def signed(text: str) -> str:
    """Return a number's text with a true minus sign; a zero has none."""
    if not text.startswith("-"):
        return text
    return f"\u2212{text[1:]}" if text.strip("-0.,") else text[1:]


def padding(minor: int, currency: str) -> str:
    """Return the zeros that align an amount with the items above it on the decimal point."""
    missing = item_decimals(currency)
    shown = money(minor, currency)
    if "." in shown:
        return "0" * (missing - len(shown.rpartition(".")[2]))
    return "." + "0" * missing


def quantity(number: Decimal) -> str:
    """Return a quantity without trailing zeros."""
    return f"{Decimal(format_decimal(number)):,f}"


def line_name(rated: RatedLine) -> str:
    """Return a line's name for a customer."""
    if rated.kind is LineKind.TIERS:
        return "Included credits and graduated prices"
    if rated.kind is LineKind.ADJUSTMENT:
        return adjustment_in_words(rated)
    return rated.workspace_class + (" (rated as default)" if rated.rated_as_default else "")


def line_arithmetic(rated: RatedLine, currency: str) -> str:
    """Return how the line's amount is computed, in words and figures."""
    if rated.kind is LineKind.TIERS:
        return f"{tiers_in_words(rated.tiers)}; less the price of these credits above"
    if rated.kind is LineKind.ADJUSTMENT:
        return "what that invoice should have charged in addition"
    return (
        f"{minutes(rated.metered_us)} min × {format_decimal(rated.credits_per_minute)} credits/min = "
        f"{credits_of(rated.credits)} credits, × {format_decimal(rated.price_per_credit)} {currency.upper()}"
    )


def intervals_of(item: StatementItem) -> str:
    """Return what an item's end is followed by if it ran in several intervals."""
    return f" ({item.intervals}×)" if item.intervals > 1 else ""


def whole(minor: int, currency: str) -> Decimal:
    """Return an amount in major units, with the currency's decimals, for a spreadsheet."""
    return to_major(minor, currency).quantize(Decimal(1).scaleb(-exponent(currency)))
