"""Recording a correction: the bill as corrected, the claims as they are now, and how the net is offset, at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import ClaimScope
from billing.correction.order import CorrectionOrder
from billing.correction.plan import CorrectionPlan
from billing.decided import HERE, DecidedFrom
from billing.errors import InputError
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.key import CorrectionKey, CreditNoteKey, InvoiceKey
from billing.money import format_amount
from billing.pricing.rating import RateCard, RatedLine
from storage.claims.writing import described_tiers, replace_months
from storage.corrections.planning import claimed_by, plan_correction
from storage.decisions.trail import DecisionKind, record_decision
from storage.invoices.credit_notes import insert_credit_note
from storage.invoices.locked import LockedInvoice, lock_invoice
from storage.periods.published import keep_card
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class RecordedCorrection:
    """The key of a correction, None if there is nothing to correct, and whether it is new; if not, when it was made."""

    key: str | None
    made: bool
    at: datetime | None = None


async def record_correction(
    db: Database,
    invoice_key: str,
    order: CorrectionOrder,
    scope: ClaimScope,
    present: RateCard | None,
    *,
    by: str,
    place: DecidedFrom = HERE,
) -> RecordedCorrection:
    """Correct an invoice, in one transaction under the locks of its account and itself. The same order twice is one.

    Time that is not to be billed moves from the claims to the history; what is to be billed otherwise stays claimed.
    A lower bill becomes a requested credit note, a higher one an adjustment, which waits for the account's next
    invoice. `scope` names the invoice's account. `present`: the rate card to price by; None: the card of
    its last pricing.

    Raises:
        InputError: the invoice is unknown, cannot be corrected or priced, or what is to be credited is not left; or the
            net is no longer the one of the order.
        BlockedInvoiceError: the invoice waits for a person.
    """
    async with db.transaction() as connection:
        await require_known_revision(connection)
        await tune(connection)
        own = {"attribution_id": scope.attribution_id}
        await connection.execute(statement("corrections/recording", "lock_account"), own)
        key = CorrectionKey(InvoiceKey.parse(invoice_key), order.ordinal)
        if (recorded_at := await _recorded_at(connection, key)) is not None:
            return RecordedCorrection(str(key), made=False, at=recorded_at)
        invoice, plan = await plan_correction(connection, invoice_key, scope, present, lock=True)
        if not plan.is_needed:
            return RecordedCorrection(None, made=False)
        _check_seen(plan, order)
        correction_id = await _insert(connection, key, plan, order, present)
        await _move_claims(connection, invoice, scope, correction_id)
        await replace_months(connection, invoice.id, plan.months)
        await _offset(connection, key, plan, order, correction_id)
        await record_decision(connection, DecisionKind.CORRECT, str(key), by=by, reason=order.reason, place=place)
        return RecordedCorrection(str(key), made=True)


async def _recorded_at(connection: AsyncConnection, key: CorrectionKey) -> datetime | None:
    found = await connection.execute(statement("corrections/recording", "known"), {"key": str(key)})
    at: datetime | None = found.scalar_one_or_none()
    return at


def _check_seen(plan: CorrectionPlan, order: CorrectionOrder) -> None:
    if (plan.ordinal, plan.offset.net) != (order.ordinal, order.net):
        now = format_amount(plan.offset.net, plan.currency)
        seen = format_amount(order.net, plan.currency)
        raise InputError(
            f"invoice {plan.invoice_key} differs by {now} now, no longer by {seen}: check the correction again"
        )


async def _insert(
    connection: AsyncConnection,
    key: CorrectionKey,
    plan: CorrectionPlan,
    order: CorrectionOrder,
    present: RateCard | None,
) -> int:
    if present is not None:
        await keep_card(connection, present)
    given = {"key": str(key), "invoice_id": plan.invoice_id, "ordinal": plan.ordinal, "reason": order.reason}
    given |= {"rate_card_digest": plan.rate_card_digest, "repriced": plan.repriced, "currency": plan.currency}
    given |= {"amount": plan.amount, "net": plan.offset.net}
    inserted = await connection.execute(statement("corrections/recording", "insert"), given)
    correction_id: int = inserted.scalar_one()
    await _insert_lines(connection, correction_id, plan.lines)
    return correction_id


async def _insert_lines(connection: AsyncConnection, correction_id: int, lines: Sequence[RatedLine]) -> None:
    await connection.execute(
        statement("corrections/recording", "insert_lines"),
        {
            "correction_id": correction_id,
            "line_nos": list(range(1, len(lines) + 1)),
            "kinds": [str(line.kind) for line in lines],
            "classes": [line.workspace_class for line in lines],
            "rates_from": [line.rate_from for line in lines],
            "rates": [line.credits_per_minute for line in lines],
            "defaulted": [line.rated_as_default for line in lines],
            "prices": [line.price_per_credit for line in lines],
            "durations": [line.duration_us for line in lines],
            "quantities": [line.quantity_us for line in lines],
            "credits": [line.credits for line in lines],
            "amounts": [line.amount for line in lines],
            "steps": [line.step for line in lines],
            "tiers": [described_tiers(line) for line in lines],
        },
    )


async def _move_claims(
    connection: AsyncConnection, invoice: LockedInvoice, scope: ClaimScope, correction_id: int
) -> None:
    """Cut the time that is not to be billed; split the rest of its claims by what is known."""
    of_invoice = {"invoice_id": invoice.id}
    await connection.execute(statement("corrections/recording", "create_pieces"))
    await connection.execute(statement("corrections/recording", "fill_pieces"), claimed_by(invoice, scope))
    await connection.execute(statement("corrections/recording", "drop_touched"), of_invoice)
    cut = {**of_invoice, "correction_id": correction_id}
    await connection.execute(statement("corrections/recording", "cut"), cut)
    await connection.execute(statement("corrections/recording", "keep"), of_invoice)


async def _offset(
    connection: AsyncConnection, key: CorrectionKey, plan: CorrectionPlan, order: CorrectionOrder, correction_id: int
) -> None:
    of_invoice = {"invoice_id": plan.invoice_id}
    await connection.execute(statement("corrections/recording", "withdraw_waiting"), of_invoice)
    for credit in plan.offset.credits:
        own = credit.invoice_id == plan.invoice_id
        reference = key.reference if own else key.reference_elsewhere
        note_key = str(CreditNoteKey(InvoiceKey.parse(credit.invoice_key), reference))
        wanted = CreditOrder(CreditKind.CORRECTION, order.reason, order.settle_to)
        credited = await lock_invoice(connection, credit.invoice_key)
        await insert_credit_note(
            connection, note_key, credited, wanted, credit.amount, dict(credit.parts), correction_id=correction_id
        )
    if plan.offset.adjustment:
        adjustment = {
            "correction_id": correction_id,
            "attribution_id": plan.attribution_id,
            "currency": plan.currency,
            "amount": plan.offset.adjustment,
        }
        await connection.execute(statement("corrections/recording", "insert_adjustment"), adjustment)
