"""The sheets of an exported period that list what was billed: invoices, lines, days, credits, refunds, disputes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Protocol, TypeAlias, TypeVar

from billing.money import EXACT
from billing.pricing.graduation import tiers_in_words
from billing.pricing.rating import LineKind, TierShare
from starter.sheets import Cell, Money, Row, Sheet, SheetColumn
from storage.exports.period import (
    EDITED,
    ExportedCredit,
    ExportedDay,
    ExportedDispute,
    ExportedInvoice,
    ExportedLine,
    ExportedRefund,
    PeriodReading,
)

T = TypeVar("T")
Field: TypeAlias = tuple[SheetColumn, Callable[[T], Cell]]
"""A column, and its value in a row."""

CURRENCY = SheetColumn("Currency", currency=True)
_MINUTE_US = Decimal(60_000_000)
_SHOWN_MINUTES = Decimal("0.000001")
_FREE = "included credits and tiers"
_EDITED = "edited in Stripe"
_LONG = 40


class _OfAccount(Protocol):
    @property
    def attribution_id(self) -> str: ...
    @property
    def name(self) -> str | None: ...


def minutes(duration_us: int | Decimal) -> Decimal:
    """Return microseconds as minutes, to the sixth decimal."""
    return EXACT.divide(Decimal(duration_us), _MINUTE_US).quantize(_SHOWN_MINUTES, context=EXACT)


def sheet_of(name: str, fields: Sequence[Field[T]], rows: AsyncIterator[T], empty: str = "") -> Sheet:
    """Return a sheet with these columns; `empty`: what it says if there are no rows."""

    async def cells() -> AsyncIterator[Row]:
        async for row in rows:
            yield [value(row) for _, value in fields]

    return Sheet(name, [column for column, _ in fields], cells(), empty)


def billed_sheets(reading: PeriodReading, *, even_empty: bool = False) -> list[Sheet]:
    """Return the sheets of what was billed; refunds and disputes only if there are any, or `even_empty`."""
    sheets = [
        sheet_of("Invoices", _INVOICES, reading.invoices(), "No invoices."),
        sheet_of("Lines", _LINES, reading.lines(), "No lines."),
        sheet_of("Usage by day", _DAYS, reading.days(), "No invoice of the period is settled."),
        sheet_of("Credits", _CREDITS, reading.credit_notes(), "No credit notes."),
    ]
    if reading.has_refunds or even_empty:
        sheets.append(sheet_of("Refunds", _REFUNDS, reading.refunds()))
    if reading.has_disputes or even_empty:
        sheets.append(sheet_of("Disputes", _DISPUTES, reading.disputes()))
    return sheets


def _money(minor: int | None, currency: str) -> Cell:
    return None if minor is None else Money.of(minor, currency)


def _summed(name: str) -> SheetColumn:
    return SheetColumn(name, total=True)


def _minutes(name: str) -> SheetColumn:
    return SheetColumn(name, total=True, decimals=6)


def _line_class(row: ExportedLine) -> str:
    return _EDITED if row.kind == EDITED else _FREE if row.kind == LineKind.TIERS else row.workspace_class


def _line_note(row: ExportedLine) -> str | None:
    if row.kind == EDITED:
        return "what a person changed of the lines in Stripe, and a person accepted"
    if row.tiers is not None:
        shares = [TierShare(Decimal(each["credits"]), Decimal(each["price"])) for each in json.loads(row.tiers)]
        return tiers_in_words(shares)
    if row.correction_key is not None:
        return f"charges {row.correction_key}"
    return "the class is not on the rate card: rated as default" if row.rated_as_default else None


_ACCOUNT: tuple[Field[_OfAccount], ...] = (
    (SheetColumn("Account"), lambda row: row.attribution_id),
    (SheetColumn("Name"), lambda row: row.name),
)
_INVOICES: Sequence[Field[ExportedInvoice]] = (
    (SheetColumn("Invoice"), lambda row: row.key),
    *_ACCOUNT,
    (SheetColumn("State"), lambda row: str(row.state)),
    (SheetColumn("Kind"), lambda row: str(row.reason)),
    (CURRENCY, lambda row: row.currency.upper()),
    (_summed("Amount"), lambda row: _money(row.amount, row.currency)),
    (_summed("Voided or deleted"), lambda row: _money(row.dead, row.currency)),
    (_summed("Edited in Stripe"), lambda row: _money(row.edited, row.currency)),
    (_summed("Credited"), lambda row: _money(row.credited, row.currency)),
    (_summed("Net"), lambda row: _money(row.amount - row.dead + row.edited - row.credited, row.currency)),
    (_summed("Refunded"), lambda row: _money(row.refunded, row.currency)),
    (_summed("Discount in Stripe"), lambda row: _money(row.stripe_discount, row.currency)),
    (_summed("Tax in Stripe"), lambda row: _money(row.stripe_tax, row.currency)),
    (_summed("Total in Stripe"), lambda row: _money(row.stripe_total, row.currency)),
    (SheetColumn("Invoice number"), lambda row: row.stripe_number),
    (SheetColumn("Stripe invoice"), lambda row: row.stripe_invoice_id),
    (SheetColumn("Stripe customer"), lambda row: row.stripe_customer_id),
    (SheetColumn("Cutoff (UTC)"), lambda row: row.cutoff),
    (SheetColumn("Claimed (UTC)"), lambda row: row.claimed_at),
    (SheetColumn("Finalized (UTC)"), lambda row: row.finalized_at),
    (SheetColumn("Billed (UTC)"), lambda row: row.billed_at),
    (SheetColumn("Paid (UTC)"), lambda row: row.paid_at),
    (SheetColumn("Voided (UTC)"), lambda row: row.voided_at),
    (SheetColumn("Blocked since (UTC)"), lambda row: row.blocked_since),
    (SheetColumn("Why it is blocked", width=_LONG), lambda row: row.blocked_reason),
    (SheetColumn("Credits used", total=True, decimals=6), lambda row: row.credits),
    (SheetColumn("Usage report", width=_LONG), lambda row: row.report_id),
)
_LINES: Sequence[Field[ExportedLine]] = (
    (SheetColumn("Invoice"), lambda row: row.key),
    *_ACCOUNT,
    (SheetColumn("State"), lambda row: str(row.state)),
    (SheetColumn("Line"), lambda row: row.line_no),
    (SheetColumn("Kind"), lambda row: row.kind),
    (SheetColumn("Class"), _line_class),
    (SheetColumn("Rate from (UTC)"), lambda row: row.rate_from),
    (_minutes("Minutes"), lambda row: minutes(row.duration_us)),
    (_minutes("Minutes × quantity"), lambda row: minutes(row.quantity_us)),
    (_minutes("Minutes of earlier periods"), lambda row: minutes(row.carried_us)),
    (SheetColumn("Credits per minute"), lambda row: row.credits_per_minute or None),
    (SheetColumn("Credits used", total=True, decimals=6), lambda row: row.credits),
    (SheetColumn("Price per credit"), lambda row: row.price_per_credit if row.kind == LineKind.USAGE else None),
    (CURRENCY, lambda row: row.currency.upper()),
    (_summed("Amount"), lambda row: _money(row.amount, row.currency)),
    (SheetColumn("Note", width=_LONG), _line_note),
)
_DAYS: Sequence[Field[ExportedDay]] = (
    (SheetColumn("Day (UTC)"), lambda row: row.day),
    (SheetColumn("Invoice"), lambda row: row.key),
    *_ACCOUNT,
    (SheetColumn("Line"), lambda row: row.line_no),
    (SheetColumn("Class"), lambda row: _FREE if row.kind is LineKind.TIERS else row.workspace_class),
    (_minutes("Minutes"), lambda row: minutes(row.duration_us)),
    (_minutes("Minutes × quantity"), lambda row: minutes(row.quantity_us)),
    (SheetColumn("Credits used", total=True, decimals=6), lambda row: row.credits),
    (CURRENCY, lambda row: row.currency.upper()),
    (_summed("Amount"), lambda row: _money(row.amount, row.currency)),
)
_CREDITS: Sequence[Field[ExportedCredit]] = (
    (SheetColumn("Credit note"), lambda row: row.key),
    (SheetColumn("Invoice"), lambda row: row.invoice_key),
    *_ACCOUNT,
    (SheetColumn("State"), lambda row: str(row.state)),
    (CURRENCY, lambda row: row.currency.upper()),
    (SheetColumn("Amount"), lambda row: _money(row.amount, row.currency)),
    (_summed("Counts"), lambda row: _money(row.counts, row.currency)),
    (_summed("Total in Stripe"), lambda row: None if row.total is None else _money(row.total, row.currency)),
    (SheetColumn("Given as"), lambda row: row.settle_to),
    (SheetColumn("Reason", width=_LONG), lambda row: row.reason),
    (SheetColumn("Line"), lambda row: row.line_no),
    (SheetColumn("Instance"), lambda row: row.instance_id),
    (SheetColumn("Stripe credit note"), lambda row: row.stripe_credit_note_id),
    (SheetColumn("Requested (UTC)"), lambda row: row.requested_at),
    (SheetColumn("Issued (UTC)"), lambda row: row.issued_at),
    (SheetColumn("Voided (UTC)"), lambda row: row.voided_at),
    (SheetColumn("Why it is blocked", width=_LONG), lambda row: row.blocked_reason),
)
_REFUNDS: Sequence[Field[ExportedRefund]] = (
    (SheetColumn("Refund"), lambda row: row.stripe_refund_id),
    (SheetColumn("Invoice"), lambda row: row.invoice_key),
    *_ACCOUNT,
    (SheetColumn("Status"), lambda row: row.status),
    (CURRENCY, lambda row: row.currency.upper()),
    (SheetColumn("Amount"), lambda row: _money(row.amount, row.currency)),
    (_summed("Counts"), lambda row: _money(row.counts, row.currency)),
    (SheetColumn("Stripe credit note"), lambda row: row.stripe_credit_note_id),
    (SheetColumn("Reason"), lambda row: row.reason or None),
    (SheetColumn("Created (UTC)"), lambda row: row.created_at),
)
_DISPUTES: Sequence[Field[ExportedDispute]] = (
    (SheetColumn("Dispute"), lambda row: row.stripe_dispute_id),
    (SheetColumn("Invoice"), lambda row: row.invoice_key),
    *_ACCOUNT,
    (SheetColumn("Status"), lambda row: row.status),
    (CURRENCY, lambda row: row.currency.upper()),
    (_summed("Amount"), lambda row: _money(row.amount, row.currency)),
    (SheetColumn("Reason"), lambda row: row.reason),
    (SheetColumn("Opened (UTC)"), lambda row: row.opened_at),
    (SheetColumn("Closed (UTC)"), lambda row: row.closed_at),
)
