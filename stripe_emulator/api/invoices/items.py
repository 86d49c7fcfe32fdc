"""`/v1/invoiceitems`: amounts that wait for an invoice or belong to a draft."""

from __future__ import annotations

import json

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.items import line_for
from stripe_emulator.engine.invoices.lines import (
    ITEM_FIELDS,
    add_lines,
    change_line,
    check_period,
    refresh,
    value_of,
)
from stripe_emulator.engine.invoices.state import require_draft
from stripe_emulator.engine.objects import Text, dumps, merge_metadata, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import EXPAND, Params, boolean, currency, listing, one_or_range, string

_FROZEN = "You cannot change an invoice item that belongs to a finalized invoice."


def attach(ctx: Context, invoice: Obj, given: Obj, at: str) -> Obj:
    """Attach a pending item, which `add_lines` names, to a draft and return its line."""
    item = ctx.load("invoiceitem", given["invoice_item"], f"{at}[invoice_item]")
    if item["invoice"] is not None or item["customer"] != invoice["customer"] or set(given) != {"invoice_item"}:
        message = "The invoice item must be pending, belong to the invoice's customer, and be the only value given."
        raise StripeError(message, param=f"{at}[invoice_item]")
    if item["currency"] != invoice["currency"]:
        raise StripeError("The invoice item's currency must match the invoice's.", param=f"{at}[invoice_item]")
    item["invoice"] = invoice["id"]
    ctx.save("invoiceitem", item)
    return line_for(ctx, invoice, item)


def _currency(ctx: Context, customer: Obj, invoice: Obj | None) -> str:
    """Return the item's currency: the request's, or else the invoice's, the customer's, or the account's."""
    params = ctx.params
    priced = params.get("price_data") or {}
    code = params.get("currency") or priced.get("currency") or (invoice or {}).get("currency") or customer["currency"]
    code = code or ctx.account.default_currency
    if invoice is not None and code != invoice["currency"]:
        raise StripeError("The currency of the invoice item must match the invoice's.", param="currency")
    return str(code)


def create(ctx: Context) -> Text:
    """Create an item, pending or (with `invoice`) on a draft."""
    params = ctx.params
    customer = ctx.load("customer", params["customer"], "customer")
    invoice = ctx.load("invoice", params["invoice"], "invoice") if "invoice" in params else None
    if invoice is not None:
        require_draft(invoice, _FROZEN)
    code = _currency(ctx, customer, invoice)
    value = value_of(ctx, params, code, "")
    item: Obj = {
        "id": new_id("ii_1"),
        "object": "invoiceitem",
        "amount": value["amount"],
        "currency": code,
        "customer": customer["id"],
        "date": ctx.now,
        "description": value["description"],
        "discountable": params.get("discountable", True),
        "discounts": [],
        "invoice": invoice and invoice["id"],
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "net_amount": value["amount"],
        "parent": None,
        "period": check_period(params.get("period", {"start": ctx.now, "end": ctx.now}), "period"),
        "pricing": value["pricing"],
        "proration": False,
        "quantity": value["quantity"] if value["quantity"] is not None else 1,
        "quantity_decimal": value["quantity_decimal"],
        "tax_rates": [],
        "test_clock": None,
    }
    if invoice is not None:
        before = dict(invoice)
        add_lines(ctx, invoice, [line_for(ctx, invoice, item)])
        ctx.save("invoice", invoice, "invoice.updated", before=before)
    return ctx.save("invoiceitem", item, "invoiceitem.created")


def _line_row(ctx: Context, item: Obj) -> tuple[Obj, Obj] | None:
    """Return the draft and the line that an item is on, or None if it is pending."""
    if item["invoice"] is None:
        return None
    invoice = ctx.load("invoice", item["invoice"])
    require_draft(invoice, _FROZEN)
    rows = ctx.store.run(
        "SELECT body FROM object WHERE kind='line_item' AND parent=?"
        " AND json_extract(body, '$.parent.invoice_item_details.invoice_item')=?",
        (invoice["id"], item["id"]),
    )
    return invoice, json.loads(rows[0][0])


def retrieve(ctx: Context) -> Text:
    """Return an item."""
    return ctx.text("invoiceitem", ctx.ids[0])


def update(ctx: Context) -> Text:
    """Change an item that is not on a finalized invoice."""
    item = ctx.load("invoiceitem", ctx.ids[0])
    place = _line_row(ctx, item)
    params = {name: value for name, value in ctx.params.items() if name != "expand"}
    if {"amount", "price_data", "pricing"} & set(params):
        value = value_of(ctx, params, item["currency"], "")
        item.update({name: value[name] for name in ("amount", "pricing", "quantity_decimal")})
        item["quantity"], item["net_amount"] = value["quantity"] or 1, value["amount"]
    for name in ("description", "discountable"):
        if name in params:
            item[name] = params[name]
    if "period" in params:
        item["period"] = check_period(params["period"], "period")
    if "metadata" in params:
        item["metadata"] = merge_metadata(item["metadata"], params["metadata"])
    if place is not None:
        invoice, line = place
        before = dict(invoice)
        change_line(ctx, invoice, line, params, "")
        refresh(ctx, invoice)
        ctx.save("invoice", invoice, "invoice.updated", before=before)
    return ctx.save("invoiceitem", item)


def delete(ctx: Context) -> Obj:
    """Delete an item that is not on a finalized invoice."""
    item = ctx.load("invoiceitem", ctx.ids[0])
    place = _line_row(ctx, item)
    ctx.store.delete("invoiceitem", item["id"])
    if place is not None:
        invoice, line = place
        before = dict(invoice)
        ctx.store.delete("line_item", line["id"])
        refresh(ctx, invoice)
        ctx.save("invoice", invoice, "invoice.updated", before=before)
    ctx.emit("invoiceitem.deleted", dumps(item))
    return {"id": item["id"], "object": "invoiceitem", "deleted": True}


def list_all(ctx: Context) -> Text:
    """List items, newest first."""
    query = Query("invoiceitem")
    if "pending" in ctx.params:
        query.where.append((f"parent IS {'' if ctx.params['pending'] else 'NOT '}NULL", None))
    return ctx.listing("/v1/invoiceitems", query, {"customer": "customer", "invoice": "parent"})


_UNSUPPORTED = "discounts tax_rates tax_behavior tax_code unit_amount_decimal"
ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/invoiceitems",
        Params(
            ITEM_FIELDS,
            currency=currency(),
            customer=string(),
            invoice=string(),
            expand=EXPAND,
            required=["customer"],
            unsupported=_UNSUPPORTED + " customer_account subscription",
        ),
        create,
    ),
    Endpoint(
        "GET",
        "/v1/invoiceitems",
        listing("customer_account", created=one_or_range(), customer=string(), invoice=string(), pending=boolean()),
        list_all,
    ),
    Endpoint("GET", "/v1/invoiceitems/{}", Params(expand=EXPAND), retrieve),
    Endpoint("POST", "/v1/invoiceitems/{}", Params(ITEM_FIELDS, expand=EXPAND, unsupported=_UNSUPPORTED), update),
    Endpoint("DELETE", "/v1/invoiceitems/{}", Params(), delete),
]
