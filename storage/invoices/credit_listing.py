"""Credit notes, a page at a time."""

from __future__ import annotations

from billing.invoice.credit_notes import CreditNoteState
from storage.invoices.credit_notes import CreditNoteRecord, credit_note_record
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def list_credit_notes(
    db: Database, *, period: str | None, state: CreditNoteState | None, after: int, limit: int
) -> list[CreditNoteRecord]:
    """Return up to `limit` credit notes in the order of their requests, from the one after the id `after`.

    Args:
        db: the database.
        period: only those of invoices of this period; None: of all.
        state: only those in this state; None: in any.
        after: the id of the last one of the page before; 0 for the first page.
        limit: at most so many.
    """
    wanted = {"period": period, "state": None if state is None else str(state), "after": after, "limit": limit}
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("invoices/credit_notes", "list"), wanted)
        return [credit_note_record(row) for row in rows]
