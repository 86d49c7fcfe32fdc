"""An invoice's state: drafts, totals and schedule."""

from __future__ import annotations

import json
from copy import deepcopy

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text, dumps, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import not_editable

FINALIZE_AFTER = 3600


_BLANK: Obj = {
    "id": None,
    "object": "invoice",
    "account_country": None,
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
    "created": None,
    "currency": None,
    "custom_fields": None,
    "customer": None,
    "customer_address": None,
    "customer_email": None,
    "customer_name": None,
    "customer_phone": None,
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
    "lines": {"object": "list", "data": [], "has_more": False, "url": None},
    "livemode": False,
    "metadata": {},
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "parent": None,
    "payment_settings": {
        "default_mandate": None, "payment_method_options": None, "payment_method_types": None,
    },
    "period_end": None,
    "period_start": None,
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "starting_balance": None,
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
"""An empty draft; `new_invoice` sets its customer."""


def new_invoice(ctx: Context, customer: Obj, currency: str) -> Obj:
    """Build an empty draft, without storing it."""
    invoice_id = new_id("in_1")
    invoice = deepcopy(_BLANK)
    invoice.update(
        id=invoice_id,
        account_country=ctx.account.country,
        created=ctx.now,
        currency=currency,
        customer=customer["id"],
        **shown(ctx, customer),
        period_end=ctx.now,
        period_start=ctx.now,
        starting_balance=customer["balance"],
    )
    invoice["lines"]["url"] = f"/v1/invoices/{invoice_id}/lines"
    return invoice


def shown(ctx: Context, customer: Obj) -> Obj:
    """Return the customer's data that an invoice shows; finalization fixes them."""
    rows = ctx.store.run("SELECT body FROM object WHERE kind='tax_id' AND customer=? ORDER BY seq", (customer["id"],))
    tax_ids = [json.loads(text) for (text,) in rows]
    return {
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_ids": [{"type": one["type"], "value": one["value"]} for one in tax_ids],
    }


def require_draft(invoice: Obj, message: str) -> None:
    """Refuse with `invoice_not_editable` if the invoice is not a draft."""
    if invoice["status"] != "draft":
        raise not_editable(message)


def set_total(invoice: Obj, subtotal: int) -> None:
    """Set a draft's totals; the discounts are taken off, and the customer's balance is included in the amount due."""
    total = subtotal - sum(one["amount"] for one in invoice["total_discount_amounts"])
    invoice["subtotal"] = invoice["subtotal_excluding_tax"] = subtotal
    invoice["total"] = invoice["total_excluding_tax"] = total
    invoice["amount_due"] = max(0, total + invoice["starting_balance"])
    invoice["amount_remaining"] = invoice["amount_due"]


def set_schedule(ctx: Context, invoice: Obj, at: int | None = None) -> None:
    """Plan a draft's automatic finalization, if it advances automatically: at `at`, or an hour after its creation."""
    due = None
    if invoice["auto_advance"] and invoice["status"] == "draft":
        due = at or invoice["automatically_finalizes_at"] or max(invoice["created"], ctx.now) + FINALIZE_AFTER
    invoice["automatically_finalizes_at"] = due
    charged = invoice["collection_method"] == "charge_automatically"
    invoice["next_payment_attempt"] = due if charged else None
    ctx.store.set_timer("invoice", invoice["id"], due)


def transition(invoice: Obj, status: str, stamp: str, now: int) -> None:
    """Set the status and its time in `status_transitions`."""
    invoice["status"] = status
    invoice["status_transitions"] = {**invoice["status_transitions"], stamp: now}


def stop_collection(ctx: Context, invoice: Obj) -> None:
    """Stop the automatic advancement of an invoice, without storing it."""
    invoice["auto_advance"] = False
    invoice["automatically_finalizes_at"] = invoice["next_payment_attempt"] = None
    ctx.store.set_timer("invoice", invoice["id"], None)


_WRITTEN_OFF = {
    "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
    "void": ("voided_at", "invoice.voided"),
}


def write_off(ctx: Context, invoice: Obj, status: str) -> Text:
    """Make an invoice `void` or `uncollectible`."""
    before = dict(invoice)
    stamp, event = _WRITTEN_OFF[status]
    transition(invoice, status, stamp, ctx.now)
    stop_collection(ctx, invoice)
    return ctx.save("invoice", invoice, "invoice.updated", event, before=before)


def gone(invoice: Obj) -> Obj:
    """Return the answer to a deletion."""
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def delete_draft(ctx: Context, invoice: Obj) -> Obj:
    """Delete a draft with its lines; its invoice items become pending again."""
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
