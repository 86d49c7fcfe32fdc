"""An invoice with its lines, as Postgres holds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.states import InvoiceReason, InvoiceState
from billing.pricing.rating import LineKind, RatedLine, TierShare
from storage.postgres.statements import statement


@dataclass(frozen=True)
class InvoiceLineRecord:
    """A line, numbered from 1. `carried_us` of its duration is from before the period's start."""

    line_no: int
    rated: RatedLine
    carried_us: int


@dataclass(frozen=True)
class InvoiceRecord:
    """An invoice with its lines. `amount` in minor units; `voided_at` also when it was deleted.

    `ordinal` counts invoices of the same identity, each after the death of the one before; `generation` counts how
    often this one was resumed, `revision` how often its usage was claimed anew; both are part of its idempotency
    keys. `approved_amount`: what a person approved. `found_subtotal`: Stripe's, that blocks it; `accepted_subtotal`:
    Stripe's, that a person accepted in place of ours. All in minor units. `written_off`: dead, and its usage is not
    billed again.
    """

    id: int
    key: str
    attribution_id: str
    billing_period: str
    reason: InvoiceReason
    subject: str
    ordinal: int
    generation: int
    state: InvoiceState
    blocked_reason: str | None
    blocked_since: datetime | None
    resume_state: InvoiceState | None
    cutoff: datetime
    currency: str
    amount: int
    credits: Decimal
    rate_card_digest: str
    stripe_customer_id: str | None
    report_id: str | None
    stripe_invoice_id: str | None
    claimed_at: datetime
    drafted_at: datetime | None
    finalized_at: datetime | None
    billed_at: datetime | None
    paid_at: datetime | None
    uncollectible_at: datetime | None
    voided_at: datetime | None
    updated_at: datetime
    charge_on: ChargeOn
    finalization: Finalization
    finalize_at: datetime | None
    revision: int
    blocked_kind: BlockedKind | None
    approved_amount: int | None
    approved_at: datetime | None
    approved_by: str | None
    found_subtotal: int | None
    found_digest: str | None
    accepted_subtotal: int | None
    accepted_digest: str | None
    replaces_stripe_invoice_id: str | None
    void_requested_at: datetime | None
    void_requested_by: str | None
    void_reason: str | None
    written_off: bool
    payment_attempts: int
    payment_failed_at: datetime | None
    lines: tuple[InvoiceLineRecord, ...]

    @property
    def awaits_approval(self) -> bool:
        """Whether it is a draft that a person has to approve first."""
        waits = self.state is InvoiceState.DRAFT and self.finalization is Finalization.APPROVAL
        return waits and self.approved_amount is None


async def with_lines(connection: AsyncConnection, rows: Sequence[Any]) -> list[InvoiceRecord]:
    """The records of rows that were read as mappings, with their lines."""
    if not rows:
        return []
    found = await connection.execute(statement("invoices/invoices", "lines"), {"ids": [row["id"] for row in rows]})
    lines = {
        invoice_id: tuple(_line(row) for row in group)
        for invoice_id, group in groupby(found.all(), key=lambda row: row.invoice_id)
    }
    return [_record(row, lines.get(row["id"], ())) for row in rows]


def _line(row: Any) -> InvoiceLineRecord:
    rated = RatedLine(
        workspace_class=row.workspace_class,
        rate_from=row.rate_from,
        credits_per_minute=row.credits_per_minute,
        rated_as_default=row.rated_as_default,
        price_per_credit=row.price_per_credit,
        duration_us=row.duration_us,
        credits=row.credits,
        amount=row.amount,
        kind=LineKind(row.kind),
        tiers=tuple(
            TierShare(Decimal(share["credits"]), Decimal(share["price"])) for share in json.loads(row.tiers or "[]")
        ),
    )
    return InvoiceLineRecord(line_no=row.line_no, rated=rated, carried_us=row.carried_us)


def _record(row: Any, lines: tuple[InvoiceLineRecord, ...]) -> InvoiceRecord:
    values = dict(row)
    values["reason"] = InvoiceReason(values["reason"])
    values["state"] = InvoiceState(values["state"])
    values["charge_on"] = ChargeOn(values["charge_on"])
    values["finalization"] = Finalization(values["finalization"])
    if values["blocked_kind"] is not None:
        values["blocked_kind"] = BlockedKind(values["blocked_kind"])
    if values["resume_state"] is not None:
        values["resume_state"] = InvoiceState(values["resume_state"])
    return InvoiceRecord(**values, lines=lines)
