"""Our invoice lines as Stripe gets them: one item for each, or folded by workspace class if there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.invoice.adjustments import adjustment_in_words
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, RatedLine

MOST_LINES = 250
"""Stripe's maximum of items on an invoice."""
MOST_CHARACTERS = 500
"""Stripe's maximum of characters in an item's description."""


@dataclass(frozen=True)
class InvoiceItem:
    """A line of a Stripe invoice. `line_id` is in its metadata; `amount` is in minor units.

    `description` is cut to what Stripe takes; the report has all of it.
    """

    line_id: str
    amount: int
    description: str


def stripe_lines(record: InvoiceRecord) -> list[InvoiceItem]:
    """Return the Stripe lines of an invoice, deterministically. Their total is the invoice's amount.

    Stripe accepts 250 lines. More are folded by workspace class; if there are still too many, the smallest classes
    share one line. The report itemizes all lines.
    """
    if len(record.lines) <= MOST_LINES:
        return [_one(record.key, line) for line in record.lines]
    by_class: dict[str, list[RatedLine]] = {}
    for line in record.lines:
        if line.rated.kind is LineKind.USAGE:
            by_class.setdefault(line.rated.workspace_class, []).append(line.rated)
    tiers, adjustments = (
        [line.rated.amount for line in record.lines if line.rated.kind is kind]
        for kind in (LineKind.TIERS, LineKind.ADJUSTMENT)
    )
    kept, others = _split(by_class, MOST_LINES - bool(tiers) - bool(adjustments))
    items = [
        _folded(f"{record.key}#class:{number}", name, by_class[name]) for number, name in enumerate(sorted(kept), 1)
    ]
    if others:
        lines = [line for name in others for line in by_class[name]]
        items.append(_folded(f"{record.key}#others", f"{len(others)} further workspace classes", lines))
    if tiers:
        items.append(InvoiceItem(f"{record.key}#tiers", sum(tiers), "Included credits and graduated prices"))
    if adjustments:
        items.append(InvoiceItem(f"{record.key}#adjustments", sum(adjustments), "Corrections of earlier invoices"))
    return items


def expected_lines(record: InvoiceRecord) -> list[tuple[str, int]]:
    """Return (line id, amount in minor units) of the lines that Stripe should have, sorted."""
    return sorted((item.line_id, item.amount) for item in stripe_lines(record))


def _split(by_class: dict[str, list[RatedLine]], room: int) -> tuple[Sequence[str], Sequence[str]]:
    """Return the classes that get their own line, and those with the smallest amounts, which share one."""
    names = sorted(by_class, key=lambda name: (-sum(line.amount for line in by_class[name]), name))
    return (names, []) if len(names) <= room else (names[: room - 1], names[room - 1 :])


def _one(key: str, line: InvoiceLineRecord) -> InvoiceItem:
    rated = line.rated
    if rated.kind is LineKind.TIERS:
        description = f"Included credits and graduated prices: {tiers_in_words(rated.tiers)}"
    elif rated.kind is LineKind.ADJUSTMENT:
        description = adjustment_in_words(rated)
    else:
        as_default = " (rated as default)" if rated.rated_as_default else ""
        rate = f"{rated.credits_per_minute.normalize():f} credits/min"
        description = f"{rated.workspace_class}{as_default}: {_hours([rated])} at {rate} = {rated.credits:,f} credits"
    return InvoiceItem(f"{key}#{line.line_no}", rated.amount, _cut(description))


def _folded(line_id: str, name: str, lines: Sequence[RatedLine]) -> InvoiceItem:
    credits = sum((line.credits for line in lines), Decimal(0))
    description = f"{name}: {_hours(lines)} = {credits:,f} credits"
    return InvoiceItem(line_id, sum(line.amount for line in lines), _cut(description))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _hours(lines: Sequence[RatedLine]) -> str:
    ran = sum(line.duration_us for line in lines)
    metered = sum((line.metered_us for line in lines), Decimal(0))
    hours = f"{ran / 3_600_000_000:,.2f} h"
    return hours if metered == ran else f"{hours}, {metered / 3_600_000_000:,.2f} unit hours"
