"""`/v1/credit_notes`: they reduce what an open invoice owes, and give credit or a refund for a paid one."""

from __future__ import annotations

from copy import deepcopy

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.invoices.credit_note_params import CREATE
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.crediting import credited, issued, total_of, totals
from stripe_emulator.engine.invoices.refunds import refund
from stripe_emulator.engine.invoices.state import transition
from stripe_emulator.engine.objects import Text, dumps, listed, merge_metadata, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import EXPAND, Params, integer, listing, metadata, one_or_range, string


def _split(ctx: Context, invoice: Obj, total: int, *, preview: bool) -> tuple[int, int]:
    """Split a total into the reduction of the remaining amount and the amount given back from the payment.

    A preview that says nothing about the latter finds out how much it is.
    """
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        message = f"You can only credit open or paid invoices. This invoice is {invoice['status']}."
        raise StripeError(message, code="status_transition_invalid", param="invoice")
    if total + sum(note["total"] for note in issued(ctx, invoice)) > invoice["total"]:
        raise StripeError("The credit notes would exceed the invoice's total.", param="amount")
    before_payment = min(total, invoice["amount_remaining"]) if invoice["status"] != "paid" else 0
    after_payment = total - before_payment
    names = ("credit_amount", "out_of_band_amount", "refund_amount")
    given = [ctx.params[name] for name in names if name in ctx.params]
    if sum(given) != after_payment and (given or not preview):
        raise StripeError(
            "The sum of `credit_amount`, `out_of_band_amount` and `refund_amount` must equal the post payment amount "
            f"{after_payment}, got {sum(given)}.",
            param="credit_amount",
        )
    return before_payment, after_payment


def _settle(ctx: Context, invoice: Obj, before_payment: int, after_payment: int) -> None:
    before = dict(invoice)
    invoice["pre_payment_credit_notes_amount"] += before_payment
    invoice["post_payment_credit_notes_amount"] += after_payment
    invoice["amount_due"] -= before_payment
    invoice["amount_remaining"] -= before_payment
    events = ["invoice.updated"]
    if before_payment and invoice["amount_remaining"] == 0:
        transition(invoice, "paid", "paid_at", ctx.now)
        invoice["auto_advance"] = False
        events += ["invoice.paid", "invoice.payment_succeeded"]
    ctx.save("invoice", invoice, *events, before=before)
    credit = ctx.params.get("credit_amount", 0)
    if credit:
        customer = ctx.load("customer", invoice["customer"], "invoice")
        old = dict(customer)
        customer["balance"] -= credit
        ctx.save("customer", customer, "customer.updated", before=old)


_UNUSED: Obj = {
    "amount_shipping": 0, "customer_balance_transaction": None,
    "pretax_credit_amounts": [], "refunds": [], "shipping_cost": None, "voided_at": None,
}  # fmt: skip
"""Fields that are empty on a new credit note."""


def _next_number(ctx: Context, invoice: Obj) -> str:
    return f"{invoice['number']}-CN-{ctx.store.count('credit_note', parent=invoice['id']) + 1:02d}"


def _new_note(ctx: Context, invoice: Obj, *, preview: bool = False) -> Obj:
    """Build a credit note from the request's parameters, without storing it."""
    params = ctx.params
    lines = credited(ctx, invoice)
    before_payment, after_payment = _split(ctx, invoice, total_of(lines), preview=preview)
    note_id = new_id("cn_1")
    kind = "mixed" if before_payment and after_payment else "pre_payment" if before_payment else "post_payment"
    return {
        "id": note_id,
        "object": "credit_note",
        "created": ctx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "effective_at": params.get("effective_at", ctx.now),
        "invoice": invoice["id"],
        "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/credit_notes/{note_id}/lines"},
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "number": _next_number(ctx, invoice),
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pdf": f"https://pay.stripe.com/credit_notes/{ctx.account.id}/test_{note_id[3:]}/pdf?s=ap",
        "post_payment_amount": after_payment,
        "pre_payment_amount": before_payment,
        "reason": params.get("reason"),
        "status": "issued",
        "type": kind,
        **totals(lines),
        **deepcopy(_UNUSED),
    }


def create(ctx: Context) -> Text:
    """Issue a credit note."""
    invoice = ctx.load("invoice", ctx.params["invoice"], "invoice")
    note = _new_note(ctx, invoice)
    if ctx.params.get("refund_amount"):
        note["refunds"] = [refund(ctx, invoice, ctx.params["refund_amount"])]
    _settle(ctx, invoice, note["pre_payment_amount"], note["post_payment_amount"])
    return ctx.save("credit_note", note, "credit_note.created")


def preview(ctx: Context) -> Obj:
    """Return the credit note that the request would issue."""
    return _new_note(ctx, ctx.load("invoice", ctx.params["invoice"], "invoice"), preview=True)


def preview_lines(ctx: Context) -> Text:
    """List the lines of the credit note that the request would issue, in one page."""
    lines = preview(ctx)["lines"]["data"]
    return listed([dumps(line) for line in lines], False, "/v1/credit_notes/preview/lines")


def retrieve(ctx: Context) -> Text:
    """Return a credit note."""
    return ctx.text("credit_note", ctx.ids[0])


def list_lines(ctx: Context) -> Text:
    """List a credit note's lines in one page."""
    note = ctx.load("credit_note", ctx.ids[0])
    return listed([dumps(line) for line in note["lines"]["data"]], False, note["lines"]["url"])


def list_all(ctx: Context) -> Text:
    """List credit notes, newest first."""
    return ctx.listing("/v1/credit_notes", Query("credit_note"), {"customer": "customer", "invoice": "parent"})


def update(ctx: Context) -> Text:
    """Change a credit note's memo and metadata."""
    note = ctx.load("credit_note", ctx.ids[0])
    before = dict(note)
    if "memo" in ctx.params:
        note["memo"] = ctx.params["memo"]
    if "metadata" in ctx.params:
        note["metadata"] = merge_metadata(note["metadata"], ctx.params["metadata"])
    return ctx.save("credit_note", note, "credit_note.updated", before=before)


def void(ctx: Context) -> Text:
    """Void a credit note of an open invoice."""
    note = ctx.load("credit_note", ctx.ids[0])
    invoice = ctx.load("invoice", note["invoice"])
    if note["status"] == "void" or invoice["status"] != "open" or note["post_payment_amount"]:
        message = "You can only void issued credit notes of open invoices."
        raise StripeError(message, code="status_transition_invalid")
    before = dict(invoice)
    invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
    invoice["amount_due"] += note["pre_payment_amount"]
    invoice["amount_remaining"] += note["pre_payment_amount"]
    ctx.save("invoice", invoice, "invoice.updated", before=before)
    note["status"], note["voided_at"] = "void", ctx.now
    return ctx.save("credit_note", note, "credit_note.voided")


_LIST = listing("customer_account", created=one_or_range(), customer=string(), invoice=string())
ENDPOINTS = [
    Endpoint("POST", "/v1/credit_notes", CREATE, create),
    Endpoint("GET", "/v1/credit_notes", _LIST, list_all),
    Endpoint("GET", "/v1/credit_notes/preview", CREATE, preview),
    Endpoint("GET", "/v1/credit_notes/preview/lines", CREATE, preview_lines),
    Endpoint("GET", "/v1/credit_notes/{}", Params(expand=EXPAND), retrieve),
    Endpoint(
        "GET",
        "/v1/credit_notes/{}/lines",
        Params(limit=integer(1, 100), expand=EXPAND, unsupported="ending_before starting_after"),
        list_lines,
    ),
    Endpoint("POST", "/v1/credit_notes/{}", Params(expand=EXPAND, memo=string(), metadata=metadata()), update),
    Endpoint("POST", "/v1/credit_notes/{}/void", Params(expand=EXPAND), void),
]
