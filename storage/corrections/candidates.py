"""The invoices of a period that may need a correction, and the credit notes of those that were made."""

from __future__ import annotations

from billing.accounts.windows import WindowKind
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.usage.misbilled import misbilled_usage


async def correction_candidates(db: Database, charged_kinds: frozenset[WindowKind], period: str) -> list[str]:
    """Return the keys of the period's invoices with misbilled usage, and of the dead ones whose corrections are still
    charged elsewhere.

    Those that share a month's places with one of them, or with a corrected invoice, are there too: places that others
    have left may cost less, or more. `charged_kinds`: the kinds of windows that the deployment charges. In the
    order of the keys.
    """
    misbilled = await misbilled_usage(db, charged_kinds=charged_kinds, period=period)
    keys = sorted({each.invoice_key for each in misbilled})
    async with db.transaction(read_only=True) as connection:
        given = {"keys": keys, "period": period}
        found = await connection.execute(statement("corrections/candidates", "sharing"), given)
        return list(found.scalars())


async def requested_credits(db: Database, period: str) -> list[str]:
    """Return the keys of the credit notes of the period's corrections that Stripe does not have yet, oldest first."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("corrections/candidates", "requested"), {"period": period})
        return list(found.scalars())
