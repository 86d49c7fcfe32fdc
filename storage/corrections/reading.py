"""Reading corrections, each with the bill as corrected, its credit notes and its adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.invoice.record import InvoiceLineRecord
from storage.invoices.records import decoded_lines
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class CorrectionRecord:
    """A correction of an invoice; amounts are in minor units.

    `amount`: of the bill as corrected, whose lines are `lines`. `net`: what it differed by from what was owed.
    `credit_notes`: the keys of its credit notes. `adjustment`: what it charges on a later invoice, `charged_on` once
    that is made; None if nothing.
    """

    key: str
    invoice_key: str
    ordinal: int
    rate_card_digest: str
    repriced: bool
    amount: int
    net: int
    currency: str
    reason: str
    recorded_at: datetime
    lines: tuple[InvoiceLineRecord, ...]
    credit_notes: tuple[str, ...]
    adjustment: int | None
    adjustment_state: str | None
    charged_on: str | None


async def corrections_of(db: Database, invoice_ids: Sequence[int]) -> dict[int, list[CorrectionRecord]]:
    """Return the corrections of these invoices, oldest first, by invoice id."""
    found: dict[int, list[CorrectionRecord]] = {}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("corrections/reading", "of_invoices"), {"invoice_ids": list(invoice_ids)}
        )
        for row in rows:
            read = record(CorrectionRecord, row, lines=decoded_lines(row.lines), credit_notes=tuple(row.credit_notes))
            found.setdefault(row.invoice_id, []).append(read)
    return found
