"""A person's decisions on an invoice, each under its row lock: approve, accept, rebuild, void, write off."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.decided import HERE, DecidedFrom
from billing.invoice.policy import BlockedKind, ChargeOn
from billing.invoice.states import DEAD, InvoiceState, check_transition
from storage.adjustments.adjustments import charge_adjustments
from storage.decisions.trail import DecisionKind, record_decision
from storage.invoices.decidable import check_approval, check_rebuild, check_void, is_approved, is_rebuilt
from storage.invoices.locked import LockedInvoice, lock_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.releasing.releasing import forget_released


async def approve_invoice(
    db: Database, key: str, amount: int, by: str, reason: str = "", place: DecidedFrom = HERE
) -> None:
    """Approve the amount that a person has seen, in minor units: ours, or the one found in Stripe. Idempotent.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it does not wait for an approval, or its amount has changed.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if is_approved(row, amount):
            return
        check_approval(key, row, amount)
        await connection.execute(
            statement("invoices/decisions", "approve"), {"id": row.id, "amount": row.amount, "by": by}
        )
        kind = DecisionKind.APPROVE
        if row.blocked_kind is BlockedKind.EDITED:
            kind = DecisionKind.ACCEPT
            await connection.execute(statement("invoices/decisions", "accept"), {"id": row.id})
        await record_decision(connection, kind, key, by=by, reason=reason, place=place)


async def rebuild_invoice(db: Database, key: str, by: str, reason: str = "", place: DecidedFrom = HERE) -> None:
    """Rebuild an invoice that a person edited in Stripe from our lines. Idempotent.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it is not blocked as edited, or is on a subscription's invoice that is finalized.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if is_rebuilt(row):
            return
        check_rebuild(key, row)
        check_transition(row.reached, InvoiceState.CLAIMED)
        name = "rebuild_own" if row.charge_on is ChargeOn.OWN else "rebuild_on_subscription"
        await connection.execute(statement("invoices/decisions", name), {"id": row.id})
        await record_decision(connection, DecisionKind.REBUILD, key, by=by, reason=reason, place=place)


async def request_void(
    db: Database, key: str, *, by: str, reason: str, write_off: bool, place: DecidedFrom = HERE
) -> None:
    """Request that Stripe void an invoice. With `write_off`, its usage is never billed again. Idempotent.

    A dead invoice can still be written off: this covers the usage that no live invoice has claimed since.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it is paid, is dead already (without `write_off`), or is on a subscription's invoice that
            is finalized.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        check_void(key, row, write_off=write_off)
        if row.void_requested_at is None and row.reached not in DEAD:
            await record_decision(connection, DecisionKind.VOID, key, by=by, reason=reason, place=place)
        if write_off and not row.written_off:
            await record_decision(connection, DecisionKind.WRITE_OFF, key, by=by, reason=reason, place=place)
        if row.reached in DEAD:
            await _write_off(connection, row)
            return
        await connection.execute(
            statement("invoices/decisions", "request_void"),
            {"id": row.id, "by": by, "reason": reason, "write_off": write_off},
        )


async def _write_off(connection: AsyncConnection, row: LockedInvoice) -> None:
    if row.written_off:
        return
    await connection.execute(statement("invoices/invoices", "lock_account"), {"attribution_id": row.attribution_id})
    await connection.execute(statement("invoices/decisions", "write_off"), {"id": row.id})
    await charge_adjustments(connection, [row.id])
    await forget_released(connection, row.id)
