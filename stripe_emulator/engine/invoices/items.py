"""Pending invoice items: their lines, and their inclusion in a new draft."""

from __future__ import annotations

import json

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.lines import add_lines, new_line
from stripe_emulator.engine.store import Obj


def _line_params(item: Obj) -> Obj:
    given = {name: item[name] for name in ("amount", "description", "metadata", "period")}
    return {**given, "quantity": item["quantity"], "discountable": item["discountable"]}


def line_for(ctx: Context, invoice: Obj, item: Obj) -> Obj:
    """Build the line of an item on an invoice, without storing it."""
    line = new_line(ctx, invoice, _line_params(item), "", item["id"])
    return {**line, "pricing": item["pricing"], "quantity_decimal": item["quantity_decimal"]}


def take_in_pending(ctx: Context, invoice: Obj) -> None:
    """Put the customer's pending items of the invoice's currency on a new draft."""
    rows = ctx.store.run(
        "SELECT body FROM object WHERE kind='invoiceitem' AND customer=? AND parent IS NULL ORDER BY seq",
        (invoice["customer"],),
    )
    items = [item for (text,) in rows if (item := json.loads(text))["currency"] == invoice["currency"]][:250]
    add_lines(ctx, invoice, [line_for(ctx, invoice, item) for item in items])
    for item in items:
        item["invoice"] = invoice["id"]
        ctx.save("invoiceitem", item)
