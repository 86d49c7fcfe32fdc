"""Invoices in Postgres: reading them, and moving them through their states under a row lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.exc import IntegrityError

from billing.errors import IllegalTransitionError, MismatchError, PermanentError
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState, check_transition
from storage.invoices.locked import lock_invoice
from storage.invoices.records import invoice_of
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.releasing.releasing import release
from storage.totals.days import follow_state, sum_up

_INSTANT_OF = {
    InvoiceState.DRAFT: "drafted_at",
    InvoiceState.FINALIZED: "finalized_at",
    InvoiceState.BILLED: "billed_at",
    InvoiceState.PAID: "paid_at",
    InvoiceState.UNCOLLECTIBLE: "uncollectible_at",
    InvoiceState.VOIDED: "voided_at",
    InvoiceState.DELETED: "voided_at",
}


@dataclass(frozen=True)
class LineClaims:
    """The totals of one line's claims; `quantity_us` is Σ (duration × quantity)."""

    line_no: int
    duration_us: int
    claims: int
    quantity_us: Decimal


async def load_invoice(db: Database, key: str) -> InvoiceRecord | None:
    """Return the invoice with this key. None if there is none."""
    async with db.reading() as connection:
        found = await connection.execute(statement("invoices/invoices", "load"), {"key": key})
        row = found.one_or_none()
    return None if row is None else invoice_of(row)


async def key_of_stripe_invoice(db: Database, stripe_invoice_id: str) -> str | None:
    """Return the key of the invoice, live or dead, that has or has replaced this Stripe invoice. None if not ours."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("invoices/invoices", "key_of_stripe_invoice"), {"stripe_invoice_id": stripe_invoice_id}
        )
        return found.scalars().first()


async def list_invoices(
    db: Database,
    *,
    period: str | None = None,
    attribution_id: str | None = None,
    state: InvoiceState | None = None,
    after: str = "",
    limit: int = 100,
) -> list[InvoiceRecord]:
    """Return up to `limit` invoices, ordered by key, after the key `after`."""
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("invoices/invoices", "list"),
            {
                "period": period,
                "attribution_id": attribution_id,
                "state": None if state is None else str(state),
                "after": after,
                "limit": limit,
            },
        )
        return [invoice_of(row) for row in found]


async def unsettled_keys(
    db: Database, period: str, after: str, through: str | None, attribution_id: str | None = None
) -> list[str]:
    """Return the keys of the period's invoices not yet billed, of any reason, with `after` < account ≤ `through`."""
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("invoices/invoices", "unsettled_keys"),
            {"period": period, "after": after, "through": through, "attribution_id": attribution_id},
        )
        return list(found.scalars())


async def record_report(db: Database, key: str, report_id: str) -> None:
    """Record the id of the published report. Idempotent. Until the invoice is in Stripe, the id can change.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        MismatchError: the invoice already has another report, and a Stripe invoice that names it.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if row.report_id not in (None, report_id) and row.stripe_invoice_id is not None:
            raise MismatchError(f"{key} already has the report {row.report_id}, not {report_id}")
        await connection.execute(statement("invoices/invoices", "set_report"), {"id": row.id, "report_id": report_id})


async def record_customer(db: Database, attribution_id: str, stripe_customer_id: str) -> str:
    """Record the Stripe customer of the account and of its open invoices. Returns the account's customer: the first.

    Raises:
        PermanentError: the account is unknown.
        MismatchError: the customer belongs to another account.
    """
    account = {"attribution_id": attribution_id}
    try:
        async with db.transaction() as connection:
            row = (await connection.execute(statement("invoices/invoices", "lock_account"), account)).one_or_none()
            if row is None:
                raise PermanentError(f"no account {attribution_id}")
            kept: str = row.stripe_customer_id or stripe_customer_id
            customer = {**account, "stripe_customer_id": kept}
            if row.stripe_customer_id is None:
                await connection.execute(statement("invoices/invoices", "set_customer"), customer)
            await connection.execute(statement("invoices/invoices", "set_customer_of_invoices"), customer)
            return kept
    except IntegrityError as error:
        raise MismatchError(
            f"Stripe customer {stripe_customer_id} belongs to another account, not to {attribution_id}"
        ) from error


async def record_draft(db: Database, key: str, stripe_invoice_id: str, stripe_customer_id: str) -> None:
    """Record the Stripe invoice's id. A `claimed` invoice becomes a `draft`. Idempotent.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        MismatchError: it already has another Stripe invoice, or this one belongs to another invoice.
        IllegalTransitionError: it is blocked, voided or deleted.
    """
    try:
        async with db.transaction() as connection:
            row = await lock_invoice(connection, key)
            claimed = row.state is InvoiceState.CLAIMED  # then its id, if any, is left from a failed creation
            if row.stripe_invoice_id == stripe_invoice_id and not claimed:
                return
            if row.stripe_invoice_id is not None and not claimed:
                raise MismatchError(
                    f"{key} already has the Stripe invoice {row.stripe_invoice_id}, not {stripe_invoice_id}"
                )
            if row.state is InvoiceState.BLOCKED or row.state in DEAD:
                raise IllegalTransitionError(f"an invoice that is {row.state} cannot become a draft")
            await connection.execute(
                statement("invoices/invoices", "set_draft"),
                {
                    "id": row.id,
                    "stripe_invoice_id": stripe_invoice_id,
                    "stripe_customer_id": stripe_customer_id,
                    "state": str(InvoiceState.DRAFT if claimed else row.state),
                },
            )
    except IntegrityError as error:
        raise MismatchError(f"Stripe invoice {stripe_invoice_id} belongs to another invoice, not to {key}") from error


async def move_invoice(db: Database, key: str, to: InvoiceState, at: datetime) -> bool:
    """Move an invoice to another state as of `at`. Returns False if it is in that state already.

    When an invoice dies, its claims are released and its usage is billable again, unless it is written off; so is what
    it charged for corrections. A
    blocked invoice can die from the state in which it was blocked; any other transition waits until it is resumed.
    When it is paid, a void that was requested too late is withdrawn. When it is billed, its days are written.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        IllegalTransitionError: there is no such transition.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if not check_transition(row.reached if to in DEAD else row.state, to):
            return False
        await connection.execute(
            statement("invoices/invoices", "set_state"),
            {"id": row.id, "state": str(to), "column": _INSTANT_OF[to], "at": at},
        )
        is_time_to_sum = await follow_state(connection, row.id, row.state, to)
        if to in DEAD:
            await release(connection, row.id, to, written_off=row.written_off)
        if to is InvoiceState.PAID and row.void_requested_at is not None:
            await connection.execute(statement("invoices/decisions", "withdraw_void"), {"id": row.id})
    if is_time_to_sum:
        await sum_up(db)
    return True


async def block_invoice(
    db: Database,
    key: str,
    reason: str,
    stripe_invoice_id: str | None = None,
    stripe_customer_id: str | None = None,
    *,
    found: tuple[int, str] | None = None,
    void_refused: bool = False,
    kind: BlockedKind | None = None,
) -> None:
    """Block an invoice: it waits for an operator, or for Stripe if `kind` says so.

    If it is blocked already, it keeps its start and gets the new reason. `stripe_invoice_id`: the Stripe
    invoice that a failed creation left behind. It is recorded with its customer, so that the account keeps that
    customer and the next attempt finds the invoice under it. `found`: subtotal, in minor units, and digest of the lines
    that Stripe has instead of ours; a person can accept them. `void_refused`: the requested void is impossible and is
    withdrawn, so that a retry adopts Stripe's state.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        IllegalTransitionError: it is voided or deleted.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        if row.state in DEAD:
            raise IllegalTransitionError(f"an invoice that is {row.state} cannot become blocked")
        if void_refused:
            await connection.execute(statement("invoices/decisions", "withdraw_void"), {"id": row.id})
        if row.state is InvoiceState.BLOCKED and row.blocked_kind is BlockedKind.LIMIT and found is None:
            return  # only an approval releases a hold
        subtotal, digest = found or (None, None)
        kind = kind or (BlockedKind.ERROR if found is None else BlockedKind.EDITED)
        await connection.execute(
            statement("invoices/invoices", "block"),
            {"id": row.id, "reason": reason, "kind": str(kind), "found_subtotal": subtotal, "found_digest": digest},
        )
        if stripe_invoice_id is not None and row.stripe_invoice_id != stripe_invoice_id:
            made = {"stripe_invoice_id": stripe_invoice_id, "stripe_customer_id": stripe_customer_id}
            await connection.execute(statement("invoices/invoices", "set_stripe_invoice"), {"id": row.id, **made})


async def resume_invoice(db: Database, key: str) -> InvoiceState:
    """Resume a blocked invoice. Returns its state afterwards.

    An invoice that is not blocked stays as it is. So does a held invoice until it is approved.

    Raises:
        UnknownInvoiceError: there is no such invoice.
    """
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        stopped = row.blocked_kind is BlockedKind.LIMIT and row.approved_amount != row.amount
        if row.state is not InvoiceState.BLOCKED or stopped:
            return row.state
        await connection.execute(statement("invoices/invoices", "resume"), {"id": row.id})
        return row.reached


async def waiting_for_currency(db: Database, attribution_id: str) -> list[str]:
    """Return the keys of the account's invoices that Stripe has refused for their currency."""
    async with db.reading() as connection:
        found = await connection.execute(
            statement("invoices/invoices", "waiting_for_currency"), {"attribution_id": attribution_id}
        )
        return list(found.scalars())


async def waiting_for_currency_of(db: Database, customers: Sequence[str]) -> list[str]:
    """Return the keys of invoices that Stripe has refused for their currency, of the accounts of these customers."""
    async with db.transaction(read_only=True) as connection:
        given = {"customers": list(customers)}
        return list(
            (await connection.execute(statement("invoices/invoices", "waiting_for_currency_of"), given)).scalars()
        )


async def record_stripe_total(db: Database, key: str, total: int, discount: int, tax: int) -> None:
    """Record the total of the finalized Stripe invoice, with the discounts and the tax in it, in minor units."""
    async with db.transaction() as connection:
        row = await lock_invoice(connection, key)
        values = {"id": row.id, "total": total, "discount": discount, "tax": tax}
        await connection.execute(statement("invoices/invoices", "set_stripe_total"), values)


async def verify_against_claims(db: Database, key: str, *, released: bool = False) -> list[LineClaims]:
    """Return the totals of the invoice's live claims, or of those `released`, in the order of its lines."""
    name = "released_by_line" if released else "claims_by_line"
    async with db.transaction() as connection:
        found = await connection.execute(statement("invoices/invoices", name), {"key": key})
        return [LineClaims(**row) for row in found.mappings()]
