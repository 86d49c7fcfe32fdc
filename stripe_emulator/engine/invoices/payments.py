"""Payment of invoices: attempts, charges, and the records of payments."""

from __future__ import annotations

import json

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.nonpayment import after_failure, after_payment, collection_is_over, plan_retry
from stripe_emulator.engine.invoices.state import transition
from stripe_emulator.engine.objects import Text, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError

CARDS_TO_AUTHENTICATE = ("pm_card_authenticationRequired", "pm_card_threeDSecure2Required")
CARDS_THAT_FAIL = ("pm_card_chargeCustomerFail", "pm_card_chargeDeclined", "pm_card_visa_chargeDeclined")


def payment_method(invoice: Obj, customer: Obj) -> str | None:
    """Return the payment method that an invoice is charged to, or None."""
    found = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return None if found is None else str(found)


def collect(ctx: Context, invoice: Obj, customer: Obj) -> Text:
    """Try to charge a finalized invoice automatically."""
    method = payment_method(invoice, customer)
    if method is None or method in CARDS_THAT_FAIL or method in CARDS_TO_AUTHENTICATE:
        return payment_failed(ctx, invoice, method)
    return mark_paid(ctx, invoice, method)


def payment_failed(ctx: Context, invoice: Obj, method: str | None) -> Text:
    """Record a failed attempt; the invoice stays open.

    It is repeated as planned, unless it failed because the cardholder has to authenticate the payment.
    """
    before = dict(invoice)
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    events = ["invoice.updated", "invoice.payment_failed"]
    if method in CARDS_TO_AUTHENTICATE:
        ctx.store.set_meta(f"action/{invoice['id']}", method)
        invoice["next_payment_attempt"] = None
        ctx.store.set_timer("invoice", invoice["id"], None)
        events.append("invoice.payment_action_required")
    else:
        plan_retry(ctx, invoice)
    text = ctx.save("invoice", invoice, *events, before=before)
    after_failure(ctx, invoice)
    return text


def authenticate(ctx: Context, invoice_id: str) -> Text:
    """Let the cardholder authenticate the payment that failed for want of it, which pays the invoice.

    Raises:
        StripeError: the invoice is not open, or no payment of it waits for that.
    """
    invoice = ctx.load("invoice", invoice_id)
    method = ctx.store.meta(f"action/{invoice_id}")
    if invoice["status"] != "open" or method is None:
        raise StripeError(f"No payment of the invoice {invoice_id} needs authentication.", param="invoice")
    return mark_paid(ctx, invoice, str(method))


def retry(ctx: Context, invoice: Obj) -> None:
    """Charge an open invoice again as planned, unless its subscription has ended."""
    if not (invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"):
        return
    customer = ctx.store.get("customer", invoice["customer"])
    if customer is not None and not collection_is_over(ctx, invoice):
        collect(ctx, invoice, customer)
        return
    before = dict(invoice)
    invoice["auto_advance"], invoice["next_payment_attempt"] = False, None
    ctx.save("invoice", invoice, "invoice.updated", before=before)


def mark_paid(ctx: Context, invoice: Obj, method: str | None) -> Text:
    """Mark the remaining amount as paid by a payment method. Without one it is paid out of band, without a charge."""
    before = dict(invoice)
    transition(invoice, "paid", "paid_at", ctx.now)
    if method is None:
        invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    else:
        invoice["attempt_count"] += 1
        _take_payment(ctx, invoice, method)
    invoice["amount_paid"] += invoice["amount_remaining"]
    invoice["amount_remaining"] = 0
    invoice["attempted"] = True
    invoice["auto_advance"] = False
    invoice["next_payment_attempt"] = None
    ctx.store.set_timer("invoice", invoice["id"], None)
    text = ctx.save("invoice", invoice, "invoice.updated", "invoice.paid", "invoice.payment_succeeded", before=before)
    after_payment(ctx, invoice)
    return text


def charge(ctx: Context, invoice: Obj, method: str | None) -> Text:
    """Charge an open invoice now.

    Raises:
        StripeError: there is no payment method, or the card was declined or needs authentication (which is recorded).
    """
    customer = ctx.load("customer", invoice["customer"], "customer")
    method = method or payment_method(invoice, customer)
    if method is None:
        raise StripeError(
            "There is no `default_payment_method` set on this Customer or Invoice. "
            "Please set a default payment method (any `pm_card_...`), or pay with `paid_out_of_band`.",
            code="resource_missing",
            param="payment_method",
        )
    if method in CARDS_TO_AUTHENTICATE:
        payment_failed(ctx, invoice, method)
        raise StripeError(
            "This payment requires additional user action before it can be completed successfully. Payment can be "
            "completed using the PaymentIntent associated with the invoice.",
            code="invoice_payment_intent_requires_action",
            status=402,
            type="card_error",
            keeps=True,
        )
    if method in CARDS_THAT_FAIL:
        payment_failed(ctx, invoice, method)
        raise StripeError(
            "Your card was declined.",
            code="card_declined",
            status=402,
            type="card_error",
            decline_code="generic_decline",
            keeps=True,
        )
    return mark_paid(ctx, invoice, method)


def _take_payment(ctx: Context, invoice: Obj, method: str) -> None:
    """Store the charge and the invoice payment of the remaining amount. The payment intent is only an id."""
    amount, intent = invoice["amount_remaining"], new_id("pi_3")
    charge_made = _new_charge(ctx, invoice, intent, method)
    ctx.save("charge", charge_made)
    payment: Obj = {
        "id": new_id("inpay_1"),
        "object": "invoice_payment",
        "amount_paid": amount,
        "amount_requested": amount,
        "created": ctx.now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        # As in Stripe, a charge with a payment intent is referred to only by the intent.
        "payment": {"type": "payment_intent", "payment_intent": intent},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": ctx.now},
    }
    ctx.save("invoice_payment", payment)


def _new_charge(ctx: Context, invoice: Obj, intent: str, method: str) -> Obj:
    return {
        "id": new_id("ch_3"),
        "object": "charge",
        "amount": invoice["amount_remaining"],
        "amount_captured": invoice["amount_remaining"],
        "amount_refunded": 0,
        "application": None,
        "balance_transaction": None,
        "billing_details": {
            "address": None, "email": invoice["customer_email"], "name": invoice["customer_name"], "phone": None,
            "tax_id": None,
        },
        "captured": True,
        "created": ctx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": f"Payment for invoice {invoice['number']}",
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "paid": True,
        "payment_intent": intent,
        "payment_method": method,
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "status": "succeeded",
    }  # fmt: skip


def charge_of(ctx: Context, invoice: Obj) -> Obj | None:
    """Return the charge that paid an invoice, or None if it was paid out of band, by the balance, or not at all."""
    rows = ctx.store.run(
        "SELECT charge.body FROM object AS payment"
        " JOIN object AS charge ON charge.kind='charge' AND charge.parent=payment.label"
        " WHERE payment.kind='invoice_payment' AND payment.parent=?",
        (invoice["id"],),
    )
    return json.loads(rows[0][0]) if rows else None
