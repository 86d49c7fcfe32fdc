"""Rows of one account that contradict each other: none of them counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.text import utc
from billing.usage.details import DETAILS
from billing.usage.rows import AccountRow, RowFault


def contradictions(rows: Sequence[AccountRow]) -> list[tuple[AccountRow, RowFault]]:
    """Compare all rows of one account. Returns those that are refused; each fault names a row that it contradicts.

    Rows contradict each other in a customer, `bill_after` or detail of the customer that both have and that differs;
    those of one window, and those without a window, also in the currency, and in the kind and the end of the window. A
    row may add an end to the window of a row before it.
    """
    faults: dict[int, RowFault] = {}
    for column in ("stripe_customer_id", "bill_after"):
        _refuse_different(rows, column, faults)
    for column in DETAILS:
        _refuse_different_details(rows, column, faults)
    windows: dict[datetime | None, list[AccountRow]] = {}
    for row in rows:
        windows.setdefault(row.started, []).append(row)
    for window in windows.values():
        for column in ("currency", "kind"):
            _refuse_different(window, column, faults)
        _refuse_different_ends([row for row in window if "ended" not in row.missing], faults)
    return [(row, faults[id(row)]) for row in rows if id(row) in faults]


def _refuse_different(rows: Iterable[AccountRow], column: str, faults: dict[int, RowFault]) -> None:
    given = [row for row in rows if getattr(row, column)]
    second = next((row for row in given if getattr(row, column) != getattr(given[0], column)), None)
    if second is None:
        return
    for row in given:
        other = second if getattr(row, column) == getattr(given[0], column) else given[0]
        reason = f"{_shown(getattr(row, column))} contradicts {_shown(getattr(other, column))} in line {other.line}"
        _refuse(row, column, reason, other, faults)


def _refuse_different_details(rows: Iterable[AccountRow], column: str, faults: dict[int, RowFault]) -> None:
    """Refuse rows with different details of the customer, which are about a person: the reason does not show them."""
    given = [row for row in rows if getattr(row.details, column) is not None]
    second = next((x for x in given if getattr(x.details, column) != getattr(given[0].details, column)), None)
    if second is None:
        return
    for row in given:
        other = second if getattr(row.details, column) == getattr(given[0].details, column) else given[0]
        _refuse(row, column, f"the {column} differs from that in line {other.line}", other, faults)


def _refuse_different_ends(window: Sequence[AccountRow], faults: dict[int, RowFault]) -> None:
    known = next((row for row in window if row.ended), None)
    if known is None:
        return
    later = window[window.index(known) :]
    second = next((row for row in later if row.ended != known.ended), None)
    if second is None:
        return
    for row in window:
        other = second if row.ended == known.ended else known
        _refuse(row, "ended", f"the window has another end in line {other.line}", other, faults)


def _refuse(row: AccountRow, column: str, reason: str, other: AccountRow, faults: dict[int, RowFault]) -> None:
    what = f"{row.attribution_id}: {reason}; neither row is imported; leave only the right one in the file"
    faults.setdefault(id(row), RowFault(row.line, column, what, other.line))


def _shown(value: object) -> str:
    return utc(value) if isinstance(value, datetime) else str(value)
