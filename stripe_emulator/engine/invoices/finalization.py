"""Finalization of drafts, by request or by the clock."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.lines import embed, lines_of
from stripe_emulator.engine.invoices.locations import location, missing_email, unrecognized
from stripe_emulator.engine.invoices.payments import collect, retry
from stripe_emulator.engine.invoices.state import require_draft, set_total, shown, transition
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.taxes import add_tax, disable
from stripe_emulator.errors import StripeError, missing_object
from stripe_emulator.params.currencies import check_amount, minimum_charge, to_step


def finalize(ctx: Context, invoice: Obj, auto_advance: bool | None = None) -> Text:
    """Finalize a draft. If nothing is due it is paid immediately; otherwise, if it advances automatically, charged.

    Raises:
        StripeError: the invoice is not a draft, its amount is too large, or its customer lacks an email address or a
            location. That stands in `last_finalization_error`.
    """
    require_draft(invoice, "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    before = dict(invoice)
    customer = ctx.load("customer", invoice["customer"], "customer")
    _check(ctx, invoice, customer)
    if auto_advance is not None:
        invoice["auto_advance"] = auto_advance
    invoice["last_finalization_error"] = None
    invoice.update(shown(ctx, customer))
    _number(ctx, invoice, customer)
    transition(invoice, "open", "finalized_at", ctx.now)
    invoice["effective_at"] = invoice["effective_at"] or ctx.now
    invoice["automatically_finalizes_at"] = invoice["next_payment_attempt"] = None
    days = ctx.store.meta(f"days/{invoice['id']}") if invoice["collection_method"] == "send_invoice" else None
    if days is not None:
        invoice["due_date"] = ctx.now + days * 86400
    place = f"{ctx.account.id}/test_{invoice['id'][3:]}"
    invoice["hosted_invoice_url"] = f"https://invoice.stripe.com/i/{place}?s=ap"
    invoice["invoice_pdf"] = f"https://pay.stripe.com/invoice/{place}/pdf?s=ap"
    ctx.store.set_timer("invoice", invoice["id"], None)
    if invoice["amount_due"] == 0:
        transition(invoice, "paid", "paid_at", ctx.now)
        invoice["attempted"] = True
        invoice["auto_advance"] = False
        return ctx.save(
            "invoice", invoice, "invoice.updated", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded",
            before=before,
        )  # fmt: skip
    text = ctx.save("invoice", invoice, "invoice.updated", "invoice.finalized", before=before)
    if invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
        return collect(ctx, invoice, customer)
    return text


def _check(ctx: Context, invoice: Obj, customer: Obj) -> None:
    """Refuse an amount that is too large, to send without an email address, and to tax one-off without a location.

    A subscription's invoice is finalized without tax instead, and the subscription's automatic tax is turned off.
    """
    try:
        check_amount(to_step(invoice["total"], invoice["currency"]), invoice["currency"])
    except StripeError as error:
        raise failed(ctx, invoice, error) from None
    if invoice["collection_method"] == "send_invoice" and customer["email"] is None:
        raise failed(ctx, invoice, missing_email())
    subscription = None
    if invoice["parent"] is not None:
        subscription = ctx.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    charged = [invoice] if subscription is None else [invoice, subscription]
    if not invoice["automatic_tax"]["enabled"] or location(ctx.account.country, customer, *charged) is not None:
        return
    if subscription is None:
        invoice["automatic_tax"] = {**invoice["automatic_tax"], "status": "requires_location_inputs"}
        raise failed(ctx, invoice, unrecognized())
    disable(invoice, "finalization_requires_location_inputs")
    before = dict(subscription)
    disable(subscription, "requires_location_inputs")
    ctx.save("subscription", subscription, "customer.subscription.updated", before=before)


def failed(ctx: Context, invoice: Obj, error: StripeError) -> StripeError:
    """Store why a draft could not be finalized, and return the error for its request.

    If that was the time of its automatic finalization, it advances no more.
    """
    before = ctx.load("invoice", invoice["id"])
    at = invoice["automatically_finalizes_at"]
    if at is not None and at <= ctx.now:
        invoice["auto_advance"] = False
        invoice["automatically_finalizes_at"] = invoice["next_payment_attempt"] = None
    invoice["last_finalization_error"] = {
        "type": error.type,
        "message": error.message,
        **({"code": error.code} if error.code else {}),
        **({"param": error.param} if error.param else {}),
    }
    ctx.save("invoice", invoice, "invoice.updated", "invoice.finalization_failed", before=before)
    error.keeps = True
    return error


def _number(ctx: Context, invoice: Obj, customer: Obj) -> None:
    """Set the next number, and apply the customer's balance to the total."""
    before = dict(customer)
    sequence = customer["next_invoice_sequence"]
    invoice["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
    customer["next_invoice_sequence"] = sequence + 1
    invoice["starting_balance"] = customer["balance"]
    set_total(invoice, invoice["subtotal"])
    if invoice["automatic_tax"]["enabled"]:
        lines = lines_of(ctx, invoice)
        add_tax(invoice, lines, ctx.behaviour)
        embed(invoice, lines)
        for line in lines:
            ctx.save("line_item", line)
    owed = invoice["total"] + customer["balance"]
    due = max(0, to_step(owed, invoice["currency"]))  # tax or a discount may have made it no multiple of the step
    invoice["amount_due"] = invoice["amount_remaining"] = due
    if 0 < owed < minimum_charge(invoice["currency"]):
        invoice["amount_due"] = invoice["amount_remaining"] = 0
        customer["balance"] = owed
    else:
        customer["balance"] = owed - due
    invoice["ending_balance"] = customer["balance"]
    changed = customer["balance"] != before["balance"]
    ctx.save("customer", customer, *(["customer.updated"] if changed else []), before=before)


def clock_passed(ctx: Context, invoice_id: str) -> None:
    """Finalize an advancing draft whose hour has passed, or store why it cannot be; retry an open invoice."""
    ctx.store.set_timer("invoice", invoice_id, None)
    invoice = ctx.store.get("invoice", invoice_id)
    if invoice is not None and invoice["status"] == "open":
        retry(ctx, invoice)
        return
    if invoice is None or invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    try:
        if ctx.store.text("customer", invoice["customer"]) is None:
            raise failed(ctx, invoice, missing_object("customer", invoice["customer"], "customer"))
        finalize(ctx, invoice)
    except StripeError as error:
        if not error.keeps:
            raise
