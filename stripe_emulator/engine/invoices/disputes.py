"""Disputes of charges, opened and closed by the admin routes in place of a cardholder's bank."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.payments import charge_of
from stripe_emulator.engine.objects import Text, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError

REASONS = (
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
OUTCOMES = ("won", "lost")
_TIME_TO_ANSWER = 7 * 86400
_EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number "
    "uncategorized_file uncategorized_text"
)


def open_dispute(ctx: Context, invoice_id: str, amount: int | None, reason: str) -> Text:
    """Dispute the charge of a paid invoice, in full or by `amount` minor units.

    Raises:
        StripeError: the invoice or its charge does not exist, is already disputed, or amount or reason is invalid.
    """
    charge = charge_of(ctx, ctx.load("invoice", invoice_id, "invoice"))
    if charge is None:
        raise StripeError(f"The invoice {invoice_id} has no charge to dispute.", param="invoice")
    if charge["disputed"]:
        raise StripeError(f"The charge {charge['id']} is already disputed.", param="invoice")
    if reason not in REASONS:
        raise StripeError(f"reason must be one of {', '.join(REASONS)}", param="reason")
    disputed = charge["amount"] if amount is None else amount
    if not 0 < disputed <= charge["amount"]:
        raise StripeError(f"amount must be from 1 to {charge['amount']}, the amount of the charge.", param="amount")
    charge["disputed"] = True
    ctx.save("charge", charge)
    return ctx.save("dispute", _new_dispute(ctx, charge, disputed, reason), "charge.dispute.created")


def _new_dispute(ctx: Context, charge: Obj, amount: int, reason: str) -> Obj:
    return {
        "id": new_id("du_1"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE.split()), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": ctx.now + _TIME_TO_ANSWER,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def close_dispute(ctx: Context, dispute_id: str, outcome: str) -> Text:
    """Close a dispute as `won` or `lost` by the seller.

    Raises:
        StripeError: the dispute does not exist or is already closed, or the outcome is invalid.
    """
    dispute = ctx.load("dispute", dispute_id)
    if outcome not in OUTCOMES:
        raise StripeError("status must be won or lost", param="status")
    if dispute["status"] in OUTCOMES:
        raise StripeError(f"The dispute {dispute_id} is already closed: {dispute['status']}.", param="status")
    before = dict(dispute)
    dispute["status"] = outcome
    return ctx.save("dispute", dispute, "charge.dispute.updated", "charge.dispute.closed", before=before)
