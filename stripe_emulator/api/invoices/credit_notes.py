"""`/v1/credit_notes`: they reduce what an open invoice owes, and give credit or a refund for a paid one."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import ROUND_HALF_UP, Decimal

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.invoices.credit_note_params import CREATE
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import taken_off
from stripe_emulator.engine.invoices.refunds import refund
from stripe_emulator.engine.invoices.state import transition
from stripe_emulator.engine.objects import Text, dumps, listed, merge_metadata, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.engine.taxes import tax_of, taxes
from stripe_emulator.errors import StripeError
from stripe_emulator.params.currencies import check_amount
from stripe_emulator.params.specs import EXPAND, Params, integer, listing, metadata, one_or_range, string


def _line(ctx: Context, invoice: Obj, given: Obj, at: str) -> Obj:
    of_invoice = given["type"] == "invoice_line_item"
    if of_invoice != ("invoice_line_item" in given):
        message = "`invoice_line_item` is required with the type `invoice_line_item`, and only allowed with it."
        raise StripeError(message, param=f"{at}[invoice_line_item]")
    description, quantity, unit = given.get("description"), given.get("quantity"), given.get("unit_amount")
    source = None
    if of_invoice:
        source = ctx.load("line_item", given["invoice_line_item"], f"{at}[invoice_line_item]")
        if source["invoice"] != invoice["id"]:
            raise StripeError("The line does not belong to this invoice.", param=f"{at}[invoice_line_item]")
        description = description or source["description"]
    if "amount" in given:
        amount = given["amount"]
    elif unit is not None:
        amount = unit * (quantity if quantity is not None else 1)
    else:
        raise StripeError(f"Missing required param: {at}[amount].", code="parameter_missing", param=f"{at}[amount]")
    check_amount(amount, invoice["currency"], f"{at}[amount]")
    off = [] if source is None else _share_of_discounts(source, amount)
    line: Obj = {
        "id": new_id("cnli_1"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": taken_off(off),
        "discount_amounts": off,
        "livemode": False,
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": given["type"],
        "unit_amount": unit,
        "unit_amount_decimal": None if unit is None else str(unit),
    }
    return {**line, "invoice_line_item": given["invoice_line_item"]} if of_invoice else line


def _share_of_discounts(source: Obj, amount: int) -> list[Obj]:
    """Return the part of a line's discounts that belongs to a credited part of the line."""
    return [
        {**one, "amount": int((Decimal(one["amount"]) * amount / source["amount"]).quantize(Decimal(1), ROUND_HALF_UP))}
        for one in source["discount_amounts"]
    ]


def _amount(ctx: Context, invoice: Obj, lines: list[Obj]) -> tuple[int, int]:
    """Return the amount before discounts and tax, and the tax. `amount` without lines is a total that shows neither."""
    params = ctx.params
    subtotal, off, tax = params.get("amount", 0), 0, 0
    if "lines" not in params:
        check_amount(subtotal, invoice["currency"], "amount")
    if "lines" in params:
        subtotal, tax = sum(line["amount"] for line in lines), _tax(ctx, invoice, lines)
        off = sum(line["discount_amount"] for line in lines)
        if params.get("amount", subtotal - off + tax) != subtotal - off + tax:
            raise StripeError(
                f"`amount` must equal the sum of the lines with discounts and tax, {subtotal - off + tax}.",
                param="amount",
            )
    elif "amount" not in params:
        raise StripeError("You must specify `amount` or `lines`.", code="parameter_missing", param="amount")
    if subtotal - off + tax <= 0:
        raise StripeError("The amount of a credit note must be positive.", param="amount")
    return int(subtotal), tax


def _tax(ctx: Context, invoice: Obj, lines: list[Obj]) -> int:
    """Return the tax on the credited invoice lines. All credit notes together never exceed the invoice's tax."""
    whole = tax_of(invoice["total_taxes"])
    if not whole:
        return 0
    amount = sum(line["amount"] for line in lines if line["type"] == "invoice_line_item")
    part = (Decimal(whole) * amount / invoice["subtotal"]).quantize(Decimal(1), ROUND_HALF_UP)
    before = sum(tax_of(note["total_taxes"]) for note in _issued(ctx, invoice))
    return min(int(part), whole - before)


def _issued(ctx: Context, invoice: Obj) -> list[Obj]:
    rows = ctx.store.run("SELECT body FROM object WHERE kind='credit_note' AND parent=?", (invoice["id"],))
    return [note for (text,) in rows if (note := json.loads(text))["status"] == "issued"]


def _split(ctx: Context, invoice: Obj, total: int) -> tuple[int, int]:
    """Split a total into the reduction of the remaining amount and the amount given back from the payment."""
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        message = f"You can only credit open or paid invoices. This invoice is {invoice['status']}."
        raise StripeError(message, code="status_transition_invalid", param="invoice")
    if total + sum(note["total"] for note in _issued(ctx, invoice)) > invoice["total"]:
        raise StripeError("The credit notes would exceed the invoice's total.", param="amount")
    before_payment = min(total, invoice["amount_remaining"]) if invoice["status"] != "paid" else 0
    after_payment = total - before_payment
    given = sum(ctx.params.get(name, 0) for name in ("credit_amount", "out_of_band_amount", "refund_amount"))
    if given != after_payment:
        raise StripeError(
            "The sum of `credit_amount`, `out_of_band_amount` and `refund_amount` must equal the post payment amount "
            f"{after_payment}, got {given}.",
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


def _credited(ctx: Context, invoice: Obj) -> tuple[list[Obj], int, int]:
    """Return the lines that the request credits, their sum before discounts and tax, and the tax."""
    lines = [_line(ctx, invoice, given, f"lines[{i}]") for i, given in enumerate(ctx.params.get("lines", []))]
    subtotal, tax = _amount(ctx, invoice, lines)
    if not lines:
        description = f"Credit for {invoice['number']}"
        whole = {"type": "custom_line_item", "amount": subtotal + tax, "description": description}
        lines = [_line(ctx, invoice, whole, "lines[0]")]
    return lines, subtotal, tax


_UNUSED: Obj = {
    "amount_shipping": 0, "customer_balance_transaction": None,
    "pretax_credit_amounts": [], "refunds": [], "shipping_cost": None, "voided_at": None,
}  # fmt: skip
"""Fields that are empty on a new credit note."""


def _next_number(ctx: Context, invoice: Obj) -> str:
    return f"{invoice['number']}-CN-{ctx.store.count('credit_note', parent=invoice['id']) + 1:02d}"


def _new_note(ctx: Context, invoice: Obj) -> Obj:
    """Build a credit note from the request's parameters, without storing it."""
    params = ctx.params
    lines, subtotal, tax = _credited(ctx, invoice)
    off = [one for line in lines for one in line["discount_amounts"]]
    net, total = subtotal - taken_off(off), subtotal - taken_off(off) + tax
    before_payment, after_payment = _split(ctx, invoice, total)
    note_id = new_id("cn_1")
    kind = "mixed" if before_payment and after_payment else "pre_payment" if before_payment else "post_payment"
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": total,
        "created": ctx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": taken_off(off),
        "discount_amounts": off,
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
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": net,
        "total_taxes": taxes(tax, net),
        "type": kind,
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
    return _new_note(ctx, ctx.load("invoice", ctx.params["invoice"], "invoice"))


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
