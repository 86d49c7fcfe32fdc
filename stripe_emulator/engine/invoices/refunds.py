"""Refunds of charges: by request or by a credit note.

Before https://docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update they cause the charge's events alone.
As in Stripe's tests (https://docs.stripe.com/testing#refunds), the refund of `pm_card_pendingRefund` is pending first,
and that of `pm_card_refundFail` fails after it has succeeded.
"""

from __future__ import annotations

from typing import Any

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.payments import charge_of
from stripe_emulator.engine.objects import changes, merge_metadata, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError
from stripe_emulator.params.currencies import check_amount
from stripe_emulator.params.versions import ACACIA, before

PENDING_FIRST, FAILS_LATER = "pm_card_pendingRefund", "pm_card_refundFail"
_BANK_ANSWERS_AFTER = 60


def refund(ctx: Context, invoice: Obj, amount: int) -> Obj:
    """Refund `amount` minor units of the invoice's charge, and return the entry for a credit note's `refunds`.

    Raises:
        StripeError: the invoice has no charge, or less of it is left.
    """
    charge = charge_of(ctx, invoice)
    left = 0 if charge is None else charge["amount"] - charge["amount_refunded"]
    if charge is None or amount > left:
        raise StripeError(
            f"The refund of {amount} exceeds the remainder of the invoice's charge, {left}.",
            code="charge_already_refunded" if charge is not None and not left else None,
            param="refund_amount",
        )
    made = make_refund(ctx, charge, amount)
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": made["id"], "type": "refund"}


def make_refund(ctx: Context, charge: Obj, amount: int | None, **given: Any) -> Obj:
    """Refund `amount` minor units of a charge, or what is left of it. `given`: `metadata`, `reason`.

    Raises:
        StripeError: less than that is left, or it is not an amount that can be refunded.
    """
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount is None else amount
    if not left:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise StripeError(message, param="amount")
    check_amount(amount, charge["currency"], "amount")
    made = _new_refund(ctx, charge, amount, **given)
    text = ctx.save("refund", made)
    before = dict(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    refunded = ctx.save("charge", charge)
    if not _is_older(ctx):
        ctx.emit("refund.created", text)
    ctx.emit("charge.refunded", refunded, changes(before, charge))
    if charge["payment_method"] in (PENDING_FIRST, FAILS_LATER):
        ctx.store.set_timer("refund", made["id"], ctx.now + _BANK_ANSWERS_AFTER)
    return made


def _new_refund(
    ctx: Context, charge: Obj, amount: int, metadata: dict[str, str] | None = None, reason: str | None = None
) -> Obj:
    return {
        "id": new_id("re_3"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "metadata": merge_metadata({}, metadata or {}),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if charge["payment_method"] == PENDING_FIRST else "succeeded",
        "transfer_reversal": None,
    }


def clock_passed(ctx: Context, refund_id: str) -> None:
    """Let the bank answer: a pending refund succeeds, another one fails."""
    ctx.store.set_timer("refund", refund_id, None)
    made = ctx.load("refund", refund_id)
    before = dict(made)
    if made["status"] == "pending":
        made["status"] = "succeeded"
        save_change(ctx, made, before)
        return
    made["status"], made["failure_reason"] = "failed", "expired_or_canceled_card"
    save_change(ctx, made, before, "refund.failed")


def save_change(ctx: Context, made: Obj, before: Obj, *events: str) -> str:
    """Store a changed refund, with the events of a change and `events`."""
    kinds = ("refund.updated", "charge.refund.updated", *events)
    shown = [kind for kind in kinds if kind.startswith("charge.") or not _is_older(ctx)]
    return ctx.save("refund", made, *shown, before=before)


def _is_older(ctx: Context) -> bool:
    """Whether the account's version has no events of a charge's refund itself, only those of the charge."""
    return before(ctx.behaviour.api_version, ACACIA)
