"""An invoice's lines: list, add, update, remove."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.api.invoices.items import attach
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.lines import (
    LINE_FIELDS,
    LINE_UNSUPPORTED,
    MAX_LINES,
    add_lines,
    change_line,
    line_of,
    new_line,
    refresh,
)
from stripe_emulator.engine.invoices.state import require_draft
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.params.specs import EXPAND, Params, choice, list_of, listing, metadata, string

_FROZEN = "This invoice is no longer editable"


def _draft(ctx: Context) -> tuple[Obj, Obj]:
    invoice = ctx.load("invoice", ctx.ids[0])
    before = dict(invoice)
    require_draft(invoice, _FROZEN)
    if "invoice_metadata" in ctx.params:
        invoice["metadata"] = merge_metadata(invoice["metadata"], ctx.params["invoice_metadata"])
    return invoice, before


def list_lines(ctx: Context) -> Text:
    """List the lines in the order in which they were added."""
    ctx.text("invoice", ctx.ids[0])
    query = Query("line_item", [("parent = ?", ctx.ids[0])], oldest_first=True)
    return ctx.listing(f"/v1/invoices/{ctx.ids[0]}/lines", query)


def add(ctx: Context) -> Text:
    """Add lines to a draft: all of them or none."""
    invoice, before = _draft(ctx)
    lines = []
    for i, given in enumerate(ctx.params["lines"]):
        at = f"lines[{i}]"
        if "invoice_item" in given:
            lines.append(attach(ctx, invoice, given, at))
        else:
            lines.append(new_line(ctx, invoice, given, at))
    add_lines(ctx, invoice, lines)
    return ctx.save("invoice", invoice, "invoice.updated", before=before)


def update(ctx: Context) -> Text:
    """Change lines of a draft: all of them or none."""
    invoice, before = _draft(ctx)
    for i, given in enumerate(ctx.params["lines"]):
        at = f"lines[{i}]"
        change_line(ctx, invoice, line_of(ctx, invoice, given["id"], f"{at}[id]"), given, at)
    refresh(ctx, invoice)
    return ctx.save("invoice", invoice, "invoice.updated", before=before)


def update_one(ctx: Context) -> Text:
    """Change one line of a draft and return the line."""
    invoice, before = _draft(ctx)
    line = line_of(ctx, invoice, ctx.ids[1], "id")
    change_line(ctx, invoice, line, ctx.params, "")
    refresh(ctx, invoice)
    ctx.save("invoice", invoice, "invoice.updated", before=before)
    return ctx.text("line_item", line["id"])


def remove(ctx: Context) -> Text:
    """Remove lines from a draft; `unassign` makes their invoice items pending, `delete` deletes them."""
    invoice, before = _draft(ctx)
    for i, given in enumerate(ctx.params["lines"]):
        line = line_of(ctx, invoice, given["id"], f"lines[{i}][id]")
        ctx.store.delete("line_item", line["id"])
        details = line["parent"]["invoice_item_details"]  # a subscription's base fee has no details
        item = ctx.store.get("invoiceitem", details["invoice_item"]) if details else None
        if item is not None and given["behavior"] == "delete":
            ctx.store.delete("invoiceitem", item["id"])
        elif item is not None:
            item["invoice"] = None
            ctx.save("invoiceitem", item)
    refresh(ctx, invoice)
    return ctx.save("invoice", invoice, "invoice.updated", before=before)


_ADDED = Params(LINE_FIELDS, invoice_item=string(), unsupported=LINE_UNSUPPORTED)
_CHANGED = Params(LINE_FIELDS, id=string(), required=["id"], unsupported=LINE_UNSUPPORTED)
_REMOVED = Params(behavior=choice("delete", "unassign"), id=string(), required=["behavior", "id"])


def _lines(one: Params) -> Params:
    return Params(expand=EXPAND, invoice_metadata=metadata(), lines=list_of(one, most=MAX_LINES), required=["lines"])


ENDPOINTS = [
    Endpoint("GET", "/v1/invoices/{}/lines", listing(), list_lines),
    Endpoint("POST", "/v1/invoices/{}/add_lines", _lines(_ADDED), add),
    Endpoint("POST", "/v1/invoices/{}/update_lines", _lines(_CHANGED), update),
    Endpoint("POST", "/v1/invoices/{}/remove_lines", _lines(_REMOVED), remove),
    Endpoint(
        "POST",
        "/v1/invoices/{}/lines/{}",
        Params(LINE_FIELDS, expand=EXPAND, unsupported=LINE_UNSUPPORTED),
        update_one,
    ),
]
