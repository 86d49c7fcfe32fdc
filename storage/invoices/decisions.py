"""What a person decides of an invoice, each under its row lock: approve, accept, rebuild, void, write off."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import DecisionRefusedError
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.states import DEAD, InvoiceState, check_transition
from billing.money import format_amount
from storage.invoices.invoices import lock_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def approve_invoice(db: Database, key: str, amount: int, by: str) -> None:
    """Approve the figure that a person has seen, in minor units: ours, or the one found in Stripe.

    Again is nothing new.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it does not wait for an approval, or the figure is another by now.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        edited = row.blocked_kind == BlockedKind.EDITED
        limit = row.blocked_kind == BlockedKind.LIMIT
        waits = row.state == InvoiceState.DRAFT and row.finalization == Finalization.APPROVAL
        if row.approved_amount == row.amount == amount and not (edited or limit):
            return
        # What is accepted stays blocked as edited until it is resumed; meanwhile nothing else was found.
        accepted = edited and row.found_subtotal is None
        if row.accepted_subtotal == amount and (accepted or not edited):
            return
        if not (edited or limit or waits):
            raise DecisionRefusedError(f"{key} is {row.state}: it does not wait for an approval")
        figure = row.amount if not edited else row.accepted_subtotal if accepted else row.found_subtotal
        if figure != amount:
            now, seen = format_amount(figure, row.currency), format_amount(amount, row.currency)
            raise DecisionRefusedError(f"{key} comes to {now} by now, not {seen}: look at it again")
        await connection.execute(
            statement("invoices/decisions", "approve"), {"id": row.id, "amount": row.amount, "by": by}
        )
        if edited:
            await connection.execute(statement("invoices/decisions", "accept"), {"id": row.id})


async def rebuild_invoice(db: Database, key: str) -> None:
    """Have Stripe's side made anew from our lines, after a person edited it. Again is nothing new.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: Stripe's side is not edited, or finalized on a subscription's invoice.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        own = row.charge_on == ChargeOn.OWN
        anew = row.replaces_stripe_invoice_id is not None if own else row.revision > 1
        if row.state == InvoiceState.CLAIMED and anew:
            return
        if row.blocked_kind != BlockedKind.EDITED:
            raise DecisionRefusedError(f"{key} is {row.state} and not blocked as edited: there is nothing to rebuild")
        if not own and row.resume_state != InvoiceState.DRAFT:
            raise DecisionRefusedError(
                f"{key} is on a subscription's invoice that is finalized: accept it, or credit what is too much"
            )
        check_transition(InvoiceState(row.resume_state), InvoiceState.CLAIMED)
        name = "rebuild_own" if own else "rebuild_on_subscription"
        await connection.execute(statement("invoices/decisions", name), {"id": row.id})


async def request_void(db: Database, key: str, *, by: str, reason: str, write_off: bool) -> None:
    """Have an invoice voided in Stripe; with `write_off` its usage is never billed again. Again is nothing new.

    One that is dead already can be written off as well, as far as its usage is not billed otherwise by now.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        DecisionRefusedError: it is paid, or finalized on a subscription's invoice.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        state = InvoiceState(row.resume_state or row.state)
        if state in DEAD:
            if not write_off:
                raise DecisionRefusedError(f"{key} is {state} already, and its usage billable again")
            await _write_off(connection, row)
            return
        if state is InvoiceState.PAID:
            raise DecisionRefusedError(f"{key} is paid: `perdure invoices credit` gives money back")
        if row.charge_on == ChargeOn.SUBSCRIPTION and state not in (InvoiceState.CLAIMED, InvoiceState.DRAFT):
            raise DecisionRefusedError(
                f"{key} is on a subscription's invoice that is finalized: `perdure invoices credit` credits our lines"
            )
        await connection.execute(
            statement("invoices/decisions", "request_void"),
            {"id": row.id, "by": by, "reason": reason, "write_off": write_off},
        )


async def _write_off(connection: AsyncConnection, row: Any) -> None:
    if row.written_off:
        return
    await connection.execute(statement("claims/claims", "lock_account"), {"attribution_id": row.attribution_id})
    await connection.execute(statement("invoices/decisions", "write_off"), {"id": row.id})
    await connection.execute(statement("invoices/decisions", "forget_history"), {"id": row.id})


async def record_payment_attempts(db: Database, key: str, attempts: int, *, failed: bool) -> None:
    """Keep how often Stripe has tried to charge it, and whether the last attempt failed."""
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        await connection.execute(
            statement("invoices/decisions", "payment_failed"), {"id": row.id, "attempts": attempts, "failed": failed}
        )


async def amendable_keys(
    db: Database, period: str, after: str, through: str | None, attribution_id: str | None = None
) -> list[str]:
    """Drafts of a page of accounts on which late usage can still be put."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/decisions", "amendable"),
            {"period": period, "after": after, "through": through, "attribution_id": attribution_id},
        )
        return list(found.scalars())
