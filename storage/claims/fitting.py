"""Fitting: an invoice that Stripe cannot charge, since its amounts are off its currency's step, is rounded again."""

from __future__ import annotations

from decimal import Decimal

from billing.assessment.assessment import PricedInvoice
from billing.invoice.policy import BlockedKind
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from billing.pricing.fitting import fitted, misfit
from storage.claims.writing import write_lines
from storage.invoices.locked import LockedInvoice, lock_invoice
from storage.invoices.records import lines_of
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement

_UNCHARGED = frozenset({InvoiceState.CLAIMED, InvoiceState.DRAFT})


async def fit_invoice(db: Database, key: str) -> None:
    """Round a blocked invoice's lines to its currency's step, if they are off it. Its claims stay. Idempotent.

    Such an invoice was claimed before amounts were rounded to steps. It becomes its next revision, to be `claimed` when
    it is resumed, and must be approved again. It is left as it is if it is finalized, if a person edited it, or if
    nothing would be left to charge.

    Raises:
        UnknownInvoiceError: there is no such invoice.
    """
    async with db.transaction() as connection:
        await require_known_revision(connection)
        row = await lock_invoice(connection, key)
        if not _may_be_fitted(row):
            return
        written = await lines_of(connection, row.id)
        lines = [line.rated for line in written]
        again = fitted(lines, row.currency)
        amount = sum(line.amount for line in again)
        if misfit(lines, row.currency) is None or amount <= 0:
            return
        priced = PricedInvoice(
            key=key,
            attribution_id=row.attribution_id,
            subject="",
            ordinal=0,
            currency=row.currency,
            stripe_customer_id=None,
            minimum=0,
            amount=amount,
            credits=sum((line.credits for line in again), Decimal(0)),
            lines=again,
            carried_us=tuple(line.carried_us for line in written),
        )
        await connection.execute(statement("claims/writing", "drop_lines"), {"id": row.id})
        await write_lines(connection, {key: row.id}, [priced])
        rounded = f"rounded to what Stripe can charge, it totals {format_amount(amount, row.currency)}"
        await connection.execute(
            statement("claims/amendment", "fit"), {"id": row.id, "amount": amount, "rounded": rounded}
        )


def _may_be_fitted(row: LockedInvoice) -> bool:
    waits = row.state is InvoiceState.BLOCKED and row.blocked_kind in (BlockedKind.ERROR, BlockedKind.LIMIT)
    return waits and row.reached in _UNCHARGED and row.accepted_subtotal is None
