"""Reading invoices with their lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.pricing.rating import LineKind, RatedLine, TierShare
from storage.postgres.statements import statement


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
