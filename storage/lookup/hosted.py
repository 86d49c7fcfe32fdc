"""What a customer knows an invoice by: its number in Stripe, and the address of its hosted page."""

from __future__ import annotations

from storage.postgres.database import Database
from storage.postgres.statements import statement


async def record_number(db: Database, key: str, number: str, url: str | None) -> None:
    """Record the number of a finalized invoice and the address of its hosted page. Writes only what has changed."""
    given = {"key": key, "number": number, "url": url}
    async with db.transaction() as connection:
        await connection.execute(statement("lookup/hosted", "record_number"), given)
        if url is not None:
            await connection.execute(statement("lookup/hosted", "record_url"), given)


async def hosted_url(db: Database, invoice_id: int) -> str | None:
    """Return the address of the hosted page. None if there is none, or if this role may not read it."""
    async with db.transaction(read_only=True) as connection:
        allowed = await connection.execute(statement("lookup/hosted", "may_read"))
        if not allowed.scalar_one():
            return None
        found = await connection.execute(statement("lookup/hosted", "url_of"), {"id": invoice_id})
        return found.scalar_one_or_none()
