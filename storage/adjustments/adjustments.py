"""Which adjustments wait for an account's next invoice, and which invoice has charged them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.adjusting import WaitingAdjustment
from storage.postgres.rows import reader
from storage.postgres.statements import statement


async def waiting_adjustments(
    connection: AsyncConnection, accounts: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[WaitingAdjustment, ...]]:
    """Return what waits for the next invoice of each of these (attribution id, currency), the oldest first.

    Accounts without any are left out. Stable under the accounts' locks.
    """
    columns = {"accounts": [each for each, _ in accounts], "currencies": [currency for _, currency in accounts]}
    rows = await connection.execute(statement("adjustments/adjustments", "waiting"), columns)
    read = reader(WaitingAdjustment, rows.keys())
    found: dict[tuple[str, str], tuple[WaitingAdjustment, ...]] = {}
    for row in rows:
        own = (row.attribution_id, row.currency)
        found[own] = (*found.get(own, ()), read(row))
    return found


async def charge_adjustments(connection: AsyncConnection, invoice_ids: Sequence[int]) -> int:
    """Record that these invoices charge the waiting adjustments that their lines name. Returns how many these are."""
    charged = await connection.execute(
        statement("adjustments/adjustments", "charge"), {"invoice_ids": list(invoice_ids)}
    )
    return charged.rowcount


async def give_back_adjustments(connection: AsyncConnection, invoice_id: int) -> None:
    """Record that the invoice does not charge its adjustments any more: they wait for the next one."""
    await connection.execute(statement("adjustments/adjustments", "give_back"), {"id": invoice_id})


async def withdraw_adjustments(connection: AsyncConnection, invoice_id: int) -> None:
    """Withdraw what the corrections of a dead invoice would still charge."""
    await connection.execute(statement("adjustments/adjustments", "withdraw"), {"id": invoice_id})
