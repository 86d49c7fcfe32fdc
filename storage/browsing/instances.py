"""The instances of an invoice, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class InvoicedInstance:
    """What an instance has on a line: from its first to its last instant there, `intervals` in all.

    `quantity_us` is Σ (duration × quantity).
    """

    instance_id: str
    line_no: int
    start: datetime
    end: datetime
    duration_us: int
    quantity_us: Decimal
    intervals: int
    workspace_id: str | None
    project_id: str | None


async def instances_of_invoice(
    db: Database, invoice: InvoiceRecord, *, after: tuple[str, int] | None = None, limit: int
) -> list[InvoicedInstance]:
    """Return up to `limit` instances of an invoice by id and line, after an instance and a line.

    Those of a dead invoice are the ones that it billed.
    """
    given = {
        "invoice_id": invoice.id,
        "dead": invoice.state in DEAD,
        "instance_id": after and after[0],
        "line_no": after and after[1],
        "limit": limit,
    }
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.execute(statement("browsing/instances", "of_invoice"), given)
        return [record(InvoicedInstance, row) for row in rows]
