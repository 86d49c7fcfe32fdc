"""Releasing what a dead invoice had billed: it is billable again."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.invoice.states import InvoiceState
from storage.adjustments.adjustments import give_back_adjustments, withdraw_adjustments
from storage.postgres.statements import statement


async def release(connection: AsyncConnection, invoice_id: int, reason: InvoiceState, *, written_off: bool) -> None:
    """Release a dead invoice's usage and the adjustments that it charged, unless it is written off.

    What its own corrections would still charge is withdrawn in any case. `reason`: `voided` or `deleted`.
    """
    await withdraw_adjustments(connection, invoice_id)
    if not written_off:
        await give_back_adjustments(connection, invoice_id)
        await connection.execute(
            statement("releasing/releasing", "release_claims"), {"id": invoice_id, "reason": str(reason)}
        )


async def forget_released(connection: AsyncConnection, invoice_id: int) -> None:
    """Delete the invoice's released claims from the history."""
    await connection.execute(statement("releasing/releasing", "forget_history"), {"id": invoice_id})
