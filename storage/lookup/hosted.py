"""What a customer knows an invoice by: its number in Stripe, and the address of its hosted page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class HostedInvoice:
    """What Stripe calls a finalized invoice. `url`: the address of its page, if it has one."""

    stripe_invoice_id: str
    number: str
    url: str | None


async def record_number(db: Database, key: str, number: str, url: str | None) -> None:
    """Record the number of a finalized invoice and the address of its hosted page. Writes only what has changed."""
    given = {"key": key, "number": number, "url": url}
    async with db.transaction() as connection:
        await connection.execute(statement("lookup/hosted", "record_number"), given)
        if url is not None:
            await connection.execute(statement("lookup/hosted", "record_url"), given)


async def fill_in_numbers(db: Database, found: Sequence[HostedInvoice]) -> None:
    """Record the numbers and pages of invoices that have no number yet: those that an older version finalized.

    Nothing else about the invoices changes, so that they do not seem to be in motion.
    """
    if not found:
        return
    given = {
        "ids": [each.stripe_invoice_id for each in found],
        "numbers": [each.number for each in found],
        "urls": [each.url for each in found],
    }
    async with db.transaction() as connection:
        await connection.execute(statement("lookup/hosted", "fill_in"), given)


async def hosted_url(db: Database, invoice_id: int) -> str | None:
    """Return the address of the hosted page. None if there is none, or if this role may not read it."""
    async with db.transaction(read_only=True) as connection:
        allowed = await connection.execute(statement("lookup/hosted", "may_read"))
        if not allowed.scalar_one():
            return None
        found = await connection.execute(statement("lookup/hosted", "url_of"), {"id": invoice_id})
        return found.scalar_one_or_none()
