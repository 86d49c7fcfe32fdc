"""What an invoice is, and how it goes from draft to its end."""

from __future__ import annotations

from .context import Context, Text, dumps, new_id
from .currencies import minimum_charge
from .errors import StripeError, not_editable
from .store import Obj

FINALIZE_AFTER = 3600
_CARDS_THAT_FAIL = ("pm_card_chargeCustomerFail", "pm_card_chargeDeclined", "pm_card_visa_chargeDeclined")


def new_invoice(ctx: Context, customer: Obj, currency: str) -> Obj:
    """An empty draft, not stored yet."""
    invoice_id = new_id("in_1")
    return {
        "id": invoice_id,
        "object": "invoice",
        "account_country": ctx.account.country,
        "account_name": "Perdure emulator",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": ctx.now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_address": None,
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/{invoice_id}/lines"},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None, "payment_method_options": None, "payment_method_types": None,
        },
        "period_end": ctx.now,
        "period_start": ctx.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer["balance"],
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }  # fmt: skip


def require_draft(invoice: Obj, message: str) -> None:
    """Refuse with `invoice_not_editable` when the invoice is no draft any more."""
    if invoice["status"] != "draft":
        raise not_editable(message)


def set_total(invoice: Obj, subtotal: int) -> None:
    """Set a draft's totals; a customer's balance counts against what is due."""
    for name in ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"):
        invoice[name] = subtotal
    invoice["amount_due"] = max(0, subtotal + invoice["starting_balance"])
    invoice["amount_remaining"] = invoice["amount_due"]


def set_schedule(ctx: Context, invoice: Obj, at: int | None = None) -> None:
    """Plan a draft's automatic finalization: an hour after its creation, or `at`, when it advances by itself."""
    due = None
    if invoice["auto_advance"] and invoice["status"] == "draft":
        due = at or invoice["automatically_finalizes_at"] or max(invoice["created"], ctx.now) + FINALIZE_AFTER
    invoice["automatically_finalizes_at"] = due
    charged = invoice["collection_method"] == "charge_automatically"
    invoice["next_payment_attempt"] = due if charged else None
    ctx.store.set_timer("invoice", invoice["id"], due)


def transition(invoice: Obj, status: str, stamp: str, now: int) -> None:
    """Set the status and the time of `status_transitions`."""
    invoice["status"] = status
    invoice["status_transitions"] = {**invoice["status_transitions"], stamp: now}


def finalize(ctx: Context, invoice: Obj, auto_advance: bool | None = None) -> Text:
    """Finalize a draft; what needs no payment is paid at once, else an advancing one is charged.

    Raises:
        StripeError: it is no draft.
    """
    require_draft(invoice, "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    before = dict(invoice)
    customer = ctx.load("customer", invoice["customer"], "customer")
    if auto_advance is not None:
        invoice["auto_advance"] = auto_advance
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
        return _collect(ctx, invoice, customer)
    return text


def _number(ctx: Context, invoice: Obj, customer: Obj) -> None:
    """Give the next number, and settle the customer's balance against the total."""
    before = dict(customer)
    sequence = customer["next_invoice_sequence"]
    invoice["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
    customer["next_invoice_sequence"] = sequence + 1
    invoice["starting_balance"] = customer["balance"]
    set_total(invoice, invoice["subtotal"])
    owed = invoice["total"] + customer["balance"]
    if 0 < owed < minimum_charge(invoice["currency"]):
        invoice["amount_due"] = invoice["amount_remaining"] = 0
        customer["balance"] = owed
    else:
        customer["balance"] = min(0, owed)
    invoice["ending_balance"] = customer["balance"]
    changed = customer["balance"] != before["balance"]
    ctx.save("customer", customer, *(["customer.updated"] if changed else []), before=before)


def payment_method(invoice: Obj, customer: Obj) -> str | None:
    """What an invoice is charged to."""
    found = invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return None if found is None else str(found)


def _collect(ctx: Context, invoice: Obj, customer: Obj) -> Text:
    method = payment_method(invoice, customer)
    if method is not None and method not in _CARDS_THAT_FAIL:
        return mark_paid(ctx, invoice)
    return payment_failed(ctx, invoice)


def payment_failed(ctx: Context, invoice: Obj) -> Text:
    """Note an attempt that failed; the invoice stays open."""
    before = dict(invoice)
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    return ctx.save("invoice", invoice, "invoice.updated", "invoice.payment_failed", before=before)


def mark_paid(ctx: Context, invoice: Obj, out_of_band: bool = False) -> Text:
    """Pay what remains."""
    before = dict(invoice)
    transition(invoice, "paid", "paid_at", ctx.now)
    if out_of_band:
        invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    else:
        invoice["attempt_count"] += 1
    invoice["amount_paid"] += invoice["amount_remaining"]
    invoice["amount_remaining"] = 0
    invoice["attempted"] = True
    invoice["auto_advance"] = False
    invoice["next_payment_attempt"] = None
    return ctx.save("invoice", invoice, "invoice.updated", "invoice.paid", "invoice.payment_succeeded", before=before)


def charge(ctx: Context, invoice: Obj, method: str | None) -> Text:
    """Charge an open invoice now.

    Raises:
        StripeError: there is nothing to charge, or the card was declined (which is noted).
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
    if method in _CARDS_THAT_FAIL:
        payment_failed(ctx, invoice)
        raise StripeError(
            "Your card was declined.",
            code="card_declined",
            status=402,
            type="card_error",
            decline_code="generic_decline",
            keeps=True,
        )
    return mark_paid(ctx, invoice)


def clock_passed(ctx: Context, invoice_id: str) -> None:
    """Finalize an advancing draft whose hour has passed; without its customer that fails."""
    ctx.store.set_timer("invoice", invoice_id, None)
    invoice = ctx.store.get("invoice", invoice_id)
    if invoice is None or invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if ctx.store.text("customer", invoice["customer"]) is None:
        before = dict(invoice)
        invoice["auto_advance"] = False
        invoice["automatically_finalizes_at"] = invoice["next_payment_attempt"] = None
        invoice["last_finalization_error"] = {
            "type": "invalid_request_error",
            "code": "resource_missing",
            "message": f"No such customer: '{invoice['customer']}'",
        }
        ctx.save("invoice", invoice, "invoice.updated", "invoice.finalization_failed", before=before)
        return
    finalize(ctx, invoice)


def gone(invoice: Obj) -> Obj:
    """The answer to a deletion."""
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def delete_draft(ctx: Context, invoice: Obj) -> Obj:
    """Delete a draft with its lines; pending invoice items that it had taken in are pending again."""
    ctx.store.set_timer("invoice", invoice["id"], None)
    for (item_id,) in ctx.store.run("SELECT id FROM object WHERE kind='invoiceitem' AND parent=?", (invoice["id"],)):
        item = ctx.load("invoiceitem", item_id)
        item["invoice"] = None
        ctx.save("invoiceitem", item)
    ctx.store.run("DELETE FROM object WHERE kind='line_item' AND parent=?", (invoice["id"],))
    ctx.store.delete("invoice", invoice["id"])
    ctx.search.forget("invoice", invoice["id"])
    ctx.emit("invoice.deleted", dumps(invoice))
    return gone(invoice)
