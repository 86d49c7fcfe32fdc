"""Reading a whole period for an export: each kind of row streamed, all at one instant of the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from billing.pricing.rating import LineKind
from storage.invoices.refunds import VAIN
from storage.postgres.database import Database
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
EDITED = "edited"
"""The kind of a line's row that says what an edit in Stripe changes."""
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ExportedState:
    """The invoices of one state and currency. Of `amount`, `dead` counts no more, and `with_days` has days.

    `edited`: what edits in Stripe that a person accepted change.
    """

    state: InvoiceState
    currency: str
    invoices: int
    amount: int
    dead: int
    edited: int
    credited: int
    refunded: int
    with_days: int


@dataclass(frozen=True)
class ExportedInvoice:
    """An invoice. `dead`: its amount if it is voided or deleted, else 0; `credited` and `refunded`: as totals count.

    `edited`: Stripe's subtotal less `amount`, if a person accepted Stripe's in place of ours and it is not dead, else
    0. `stripe_tax`, `stripe_discount` and `stripe_total` are None if it is dead, or not finalized yet.
    """

    key: str
    attribution_id: str
    name: str | None
    state: InvoiceState
    reason: InvoiceReason
    currency: str
    amount: int
    dead: int
    edited: int
    credited: int
    refunded: int
    stripe_tax: int | None
    stripe_discount: int | None
    stripe_total: int | None
    stripe_number: str | None
    stripe_invoice_id: str | None
    stripe_customer_id: str | None
    cutoff: datetime
    claimed_at: datetime
    finalized_at: datetime | None
    billed_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    blocked_since: datetime | None
    blocked_reason: str | None
    credits: Decimal
    report_id: str | None


@dataclass(frozen=True)
class ExportedLine:
    """A line of an invoice that is not dead. `tiers`: the JSON of a line of tiers; `correction_key` of an adjustment.

    The kind `EDITED` is no line of ours, and has an amount alone: what an accepted edit changes of the others.
    """

    key: str
    attribution_id: str
    name: str | None
    state: InvoiceState
    currency: str
    line_no: int | None
    kind: str
    workspace_class: str
    rated_as_default: bool
    rate_from: datetime | None
    duration_us: int
    quantity_us: Decimal
    carried_us: int
    credits_per_minute: Decimal
    credits: Decimal
    price_per_credit: Decimal
    tiers: str | None
    correction_key: str | None
    amount: int


@dataclass(frozen=True)
class ExportedDay:
    """A line's share on one UTC day; of settled invoices alone."""

    day: date
    key: str
    attribution_id: str
    name: str | None
    currency: str
    line_no: int
    kind: LineKind
    workspace_class: str
    duration_us: int
    quantity_us: Decimal
    credits: Decimal
    amount: int


@dataclass(frozen=True)
class ExportedCredit:
    """A credit note. `counts`: its amount if it is issued, and its invoice is not dead. `total`: then, with tax."""

    key: str
    invoice_key: str
    attribution_id: str
    name: str | None
    state: CreditNoteState
    currency: str
    amount: int
    counts: int
    total: int | None
    settle_to: str
    reason: str
    line_no: int | None
    instance_id: str | None
    stripe_credit_note_id: str | None
    requested_at: datetime
    issued_at: datetime | None
    voided_at: datetime | None
    blocked_reason: str | None


@dataclass(frozen=True)
class ExportedRefund:
    """A refund. `counts`: its amount if the money left, and no credit note accounts for it."""

    stripe_refund_id: str
    invoice_key: str
    attribution_id: str
    name: str | None
    status: str
    currency: str
    amount: int
    counts: int
    stripe_credit_note_id: str | None
    reason: str
    created_at: datetime


@dataclass(frozen=True)
class ExportedDispute:
    """A dispute, in its last known state."""

    stripe_dispute_id: str
    invoice_key: str
    attribution_id: str
    name: str | None
    status: str
    currency: str
    amount: int
    reason: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class PeriodReading:
    """A period at one instant, `at`: its kinds of rows can be read one after another.

    `has_refunds`, `has_disputes`: whether there are any.
    """

    connection: AsyncConnection
    period: str
    at: datetime
    has_refunds: bool
    has_disputes: bool

    async def figures(self) -> list[ExportedState]:
        """Return the totals by currency and state."""
        rows = await self.connection.execute(statement("exports/period", "figures"), self._given())
        return [record(ExportedState, row) for row in rows]

    def invoices(self) -> AsyncIterator[ExportedInvoice]:
        """Yield all invoices, by account."""
        return self._stream("invoices", ExportedInvoice)

    def lines(self) -> AsyncIterator[ExportedLine]:
        """Yield the lines of all invoices that are not dead, by account."""
        return self._stream("lines", ExportedLine)

    def days(self) -> AsyncIterator[ExportedDay]:
        """Yield the days of all settled invoices, by account."""
        return self._stream("days", ExportedDay)

    def credit_notes(self) -> AsyncIterator[ExportedCredit]:
        """Yield the credit notes on the period's invoices, by account."""
        return self._stream("credit_notes", ExportedCredit)

    def refunds(self) -> AsyncIterator[ExportedRefund]:
        """Yield the refunds of the period's invoices, by account."""
        return self._stream("refunds", ExportedRefund)

    def disputes(self) -> AsyncIterator[ExportedDispute]:
        """Yield the disputes of the period's invoices, by account."""
        return self._stream("disputes", ExportedDispute)

    async def _stream(self, name: str, kind: type[T]) -> AsyncIterator[T]:
        rows = await self.connection.stream(statement("exports/period", name), self._given())
        read = reader(kind, rows.keys())
        async for partition in rows.partitions(_ROWS_AT_ONCE):
            for row in partition:
                yield read(row)

    def _given(self) -> dict[str, Any]:
        return {"period": self.period, "vain": sorted(VAIN)}


@asynccontextmanager
async def reading_period(db: Database, period: str) -> AsyncIterator[PeriodReading]:
    """Begin to read a period; everything that is read of it is from one instant."""
    async with db.transaction(read_only=True, snapshot=True) as connection:
        await tune(connection)
        found = (await connection.execute(statement("exports/period", "present"), {"period": period})).one()
        yield PeriodReading(connection, period, found.at, found.refunds, found.disputes)
