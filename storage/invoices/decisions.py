"""A person's decisions on an invoice, each under its row lock: approve, accept, rebuild, void, write off."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import DecisionRefusedError
from billing.invoice.policy import BlockedKind, ChargeOn
from billing.invoice.states import DEAD, InvoiceState, check_transition
from billing.money import format_amount
from storage.invoices.invoices import forget_released
from storage.invoices.locked import LockedInvoice, lock_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def approve_invoice(db: Database, key: str, amount: int, by: str) -> None:
    """Approve the amount that a person has seen, in minor units: ours, or the one found in Stripe. Idempotent.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it does not wait for an approval, or its amount has changed.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if _is_approved(row, amount):
            return
        figure = _figure_to_approve(row)
        if figure is None:
            raise DecisionRefusedError(f"{key} is {row.state}: it does not wait for an approval")
        if figure != amount:
            now, seen = format_amount(figure, row.currency), format_amount(amount, row.currency)
            raise DecisionRefusedError(f"{key} now totals {now}, not {seen}: check it again")
        await connection.execute(
            statement("invoices/decisions", "approve"), {"id": row.id, "amount": row.amount, "by": by}
        )
        if row.blocked_kind is BlockedKind.EDITED:
            await connection.execute(statement("invoices/decisions", "accept"), {"id": row.id})


def _is_approved(row: LockedInvoice, amount: int) -> bool:
    """Return whether a person has approved this amount already, as ours or as the one found in Stripe."""
    if row.blocked_kind is BlockedKind.EDITED:
        # After acceptance, the invoice stays blocked as edited until it is resumed. A later edit is found again.
        return row.found_subtotal is None and row.accepted_subtotal == amount
    if row.accepted_subtotal == amount:
        return True
    return row.blocked_kind is not BlockedKind.LIMIT and row.approved_amount == row.amount == amount


def _figure_to_approve(row: LockedInvoice) -> int | None:
    """Return the amount that waits for an approval: Stripe's if it was edited there, else ours. None if none waits."""
    if row.blocked_kind is BlockedKind.EDITED:
        return row.accepted_subtotal if row.found_subtotal is None else row.found_subtotal
    return row.amount if row.blocked_kind is BlockedKind.LIMIT or row.needs_approval else None


async def rebuild_invoice(db: Database, key: str) -> None:
    """Rebuild an invoice that a person edited in Stripe from our lines. Idempotent.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it is not blocked as edited, or is on a subscription's invoice that is finalized.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        own = row.charge_on is ChargeOn.OWN
        rebuilt = row.replaces_stripe_invoice_id is not None if own else row.revision > 1
        if row.state is InvoiceState.CLAIMED and rebuilt:
            return
        if row.blocked_kind is not BlockedKind.EDITED:
            raise DecisionRefusedError(f"{key} is {row.state} and not blocked as edited: there is nothing to rebuild")
        if not own and row.reached is not InvoiceState.DRAFT:
            raise DecisionRefusedError(
                f"{key} is on a subscription's invoice that is finalized: accept the edit, or credit the excess"
            )
        check_transition(row.reached, InvoiceState.CLAIMED)
        name = "rebuild_own" if own else "rebuild_on_subscription"
        await connection.execute(statement("invoices/decisions", name), {"id": row.id})


async def request_void(db: Database, key: str, *, by: str, reason: str, write_off: bool) -> None:
    """Request that Stripe void an invoice. With `write_off`, its usage is never billed again. Idempotent.

    A dead invoice can still be written off: this covers the usage that no live invoice has claimed since.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it is paid, is dead already (without `write_off`), or is on a subscription's invoice that
            is finalized.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        state = row.reached
        if state in DEAD:
            if not write_off:
                raise DecisionRefusedError(f"{key} is {state} already, and its usage is billable again")
            await _write_off(connection, row)
            return
        if state is InvoiceState.PAID:
            raise DecisionRefusedError(f"{key} is paid: `perdure invoices credit` gives money back")
        if row.charge_on is ChargeOn.SUBSCRIPTION and state not in (InvoiceState.CLAIMED, InvoiceState.DRAFT):
            raise DecisionRefusedError(
                f"{key} is on a subscription's invoice that is finalized: `perdure invoices credit` credits our lines"
            )
        await connection.execute(
            statement("invoices/decisions", "request_void"),
            {"id": row.id, "by": by, "reason": reason, "write_off": write_off},
        )


async def _write_off(connection: AsyncConnection, row: LockedInvoice) -> None:
    if row.written_off:
        return
    await connection.execute(statement("invoices/invoices", "lock_account"), {"attribution_id": row.attribution_id})
    await connection.execute(statement("invoices/decisions", "write_off"), {"id": row.id})
    await forget_released(connection, row.id)
