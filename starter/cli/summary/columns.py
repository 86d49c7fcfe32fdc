"""The columns of `perdure summary`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

from starter.cli import output
from starter.words.times import hours
from storage.totals.summary import SummaryBy, SummaryRow

_NO_SUBJECT = {SummaryBy.CLASS: "(no class)", SummaryBy.DAY: "(no day)"}
_PERCENT = Decimal("0.1")


def subject(row: SummaryRow, by: SummaryBy) -> str:
    """Return what the row is about, in words if it belongs to no class or day."""
    if by is SummaryBy.CURRENCY:
        return row.subject.upper()
    return row.subject or _NO_SUBJECT.get(by, "")


def percent(row: SummaryRow) -> Decimal | None:
    """Return the change of the net amount in percent, with a decimal. None if there was nothing before."""
    if row.before <= 0:
        return None
    return (Decimal(100) * (row.net - row.before) / row.before).quantize(_PERCENT)


def columns(by: SummaryBy, before: str | None) -> Sequence[output.Column[SummaryRow]]:
    """Return the columns of a summary; those of the comparison only if there is one."""
    by_invoice = by in (SummaryBy.ACCOUNT, SummaryBy.CURRENCY)
    return (
        output.Column(by.value.title(), lambda row: subject(row, by)),
        *([output.Column("Name", _name, show="room")] if by is SummaryBy.ACCOUNT else []),
        _amount("Net", lambda row: row.net, "always"),
        *(_compared(before) if before is not None else ()),
        _amount("Settled", lambda row: row.settled),
        _amount("Open", lambda row: row.open or None),
        _amount("Blocked", lambda row: row.blocked or None),
        _amount("Edited in Stripe", lambda row: row.edited or None),
        _amount("Credited", lambda row: row.credited or None),
        output.Column("Invoices", lambda row: row.invoices, show="room", right=True)
        if by_invoice
        else output.Column("Metered hours", _hours, _hours_text, "room", right=True),
        *(() if by is SummaryBy.CURRENCY else (output.Column("Currency", _currency, show="wide"),)),
    )


def _compared(before: str) -> Sequence[output.Column[SummaryRow]]:
    return (
        _amount("Change", lambda row: row.net - row.before),
        output.Column("Percent", percent, _percent_text, "room", right=True),
        _amount(f"Before ({before})", lambda row: row.before),
    )


def _amount(
    name: str, value: Callable[[SummaryRow], int | None], show: Literal["always", "room"] = "room"
) -> output.Column[SummaryRow]:
    return output.amount(name, value, lambda row: row.currency, show)


def _currency(row: SummaryRow) -> str:
    return row.currency.upper()


def _name(row: SummaryRow) -> str | None:
    return row.name


def _percent_text(row: SummaryRow) -> str:
    found = percent(row)
    return "" if found is None else f"{found:+,}"


def _hours(row: SummaryRow) -> Decimal | None:
    return None if row.quantity_us is None else round(row.quantity_us / 3_600_000_000, 8)


def _hours_text(row: SummaryRow) -> str:
    return "" if row.quantity_us is None else hours(int(row.quantity_us))
