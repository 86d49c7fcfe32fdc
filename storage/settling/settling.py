"""Recording that an invoice's books agree, with all that Stripe says of it, in one conditional statement.

The books are compared between reading the invoice and this statement, without a lock. It changes nothing if the row has
changed since it was read: the comparison no longer counts, and is made again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from billing.errors import MismatchError, UnavailableError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.invoices.records import ClaimedInvoice
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.totals.days import is_time_to_sum, sum_up

_UNIQUE_VIOLATION = "23505"


class InvoiceChangedError(UnavailableError):
    """The invoice has changed since it was read; the next attempt reads it again."""


@dataclass(frozen=True)
class Settlement:
    """What is recorded of an invoice whose books agree: `billed`, `paid` or `uncollectible`, and what Stripe says.

    Amounts are in minor units; without a `total`, the recorded one stays. `number` and `url`: what the customer knows
    the invoice by, None if unknown. `attempts`: of charging it; `failed`: the last one; `stopped`: no more follow.
    """

    state: InvoiceState
    finalized_at: datetime
    billed_at: datetime
    paid_at: datetime | None
    uncollectible_at: datetime | None
    total: int | None
    discount: int | None
    tax: int | None
    number: str | None
    url: str | None
    attempts: int
    failed: bool
    stopped: bool


async def settle(db: Database, read: ClaimedInvoice, to: Settlement) -> InvoiceRecord:
    """Settle the invoice as it was read, with the Stripe invoice and customer that it has there; write its days.

    Returns the invoice as it is then.

    Raises:
        InvoiceChangedError: the invoice has changed since it was read.
        MismatchError: its Stripe invoice belongs to another invoice.
    """
    invoice = read.invoice
    given = {
        **asdict(to),
        "id": invoice.id,
        "version": read.version,
        "stripe_invoice_id": invoice.stripe_invoice_id,
        "stripe_customer_id": invoice.stripe_customer_id,
        "drafted_at": invoice.drafted_at,
    }
    try:
        async with db.transaction() as connection:
            found = await connection.execute(statement("settling/settling", "settle"), given)
            if found.one_or_none() is None:
                raise InvoiceChangedError(f"{invoice.key} has changed while its books were compared: compare again")
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
        raise MismatchError(
            f"Stripe invoice {invoice.stripe_invoice_id} belongs to another invoice, not to {invoice.key}"
        ) from error
    if is_time_to_sum(invoice.id):
        await sum_up(db)
    settled = replace(invoice, state=to.state, finalized_at=to.finalized_at)
    return replace(settled, void_requested_at=None) if to.state is InvoiceState.PAID else settled
