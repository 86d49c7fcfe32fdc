"""Finalization of drafts, by request or by the clock."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.payments import collect, retry
from stripe_emulator.engine.invoices.state import require_draft, set_total, transition
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.taxes import add_tax
from stripe_emulator.params.currencies import minimum_charge


def finalize(ctx: Context, invoice: Obj, auto_advance: bool | None = None) -> Text:
    """Finalize a draft. If nothing is due it is paid immediately; otherwise, if it advances automatically, charged.

    Raises:
        StripeError: the invoice is not a draft.
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
        return collect(ctx, invoice, customer)
    return text


def _number(ctx: Context, invoice: Obj, customer: Obj) -> None:
    """Set the next number, and apply the customer's balance to the total."""
    before = dict(customer)
    sequence = customer["next_invoice_sequence"]
    invoice["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
    customer["next_invoice_sequence"] = sequence + 1
    invoice["starting_balance"] = customer["balance"]
    set_total(invoice, invoice["subtotal"])
    add_tax(invoice, ctx.behaviour.tax_percent)
    invoice["amount_due"] = invoice["amount_remaining"] = max(0, invoice["total"] + customer["balance"])
    owed = invoice["total"] + customer["balance"]
    if 0 < owed < minimum_charge(invoice["currency"]):
        invoice["amount_due"] = invoice["amount_remaining"] = 0
        customer["balance"] = owed
    else:
        customer["balance"] = min(0, owed)
    invoice["ending_balance"] = customer["balance"]
    changed = customer["balance"] != before["balance"]
    ctx.save("customer", customer, *(["customer.updated"] if changed else []), before=before)


def clock_passed(ctx: Context, invoice_id: str) -> None:
    """Finalize an advancing draft whose hour has passed, which fails without its customer; retry an open invoice."""
    ctx.store.set_timer("invoice", invoice_id, None)
    invoice = ctx.store.get("invoice", invoice_id)
    if invoice is not None and invoice["status"] == "open":
        retry(ctx, invoice)
        return
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
