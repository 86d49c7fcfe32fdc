"""Create, change and remove invoice lines, and update the totals of their invoice."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import spread
from stripe_emulator.engine.invoices.state import set_total
from stripe_emulator.engine.objects import merge_metadata, new_id
from stripe_emulator.engine.prices import new_price, plain, product_of, unit_amount
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError, missing_object
from stripe_emulator.params.currencies import check_amount
from stripe_emulator.params.specs import (
    Params,
    Spec,
    boolean,
    clearable,
    currency,
    decimal,
    integer,
    metadata,
    string,
    timestamp,
)

MAX_LINES = 250
EMBEDDED = 10

PERIOD = Params(start=timestamp(), end=timestamp(), required=["start", "end"])
_PRODUCT_DATA = Params(
    name=string(),
    description=string(40000),
    metadata=metadata(),
    required=["name"],
    unsupported="images tax_code unit_label",
)
_PRICE_DATA: dict[str, Spec] = {
    "currency": currency(),
    "product": string(),
    "unit_amount": integer(),
    "unit_amount_decimal": decimal(),
}
_LINE_PRICE = Params(_PRICE_DATA, product_data=_PRODUCT_DATA, required=["currency"], unsupported="tax_behavior")
_ITEM_PRICE = Params(_PRICE_DATA, required=["currency", "product"], unsupported="tax_behavior")
LINE_FIELDS: dict[str, Spec] = {
    "amount": integer(-(10**13), 10**13),
    "description": clearable(string(500)),
    "discountable": boolean(),
    "metadata": metadata(),
    "period": PERIOD,
    "price_data": _LINE_PRICE,
    "pricing": Params(price=string()),
    "quantity": integer(0, 10**12),
    "quantity_decimal": decimal(),
}
ITEM_FIELDS: dict[str, Spec] = {**LINE_FIELDS, "price_data": _ITEM_PRICE}
LINE_UNSUPPORTED = "discounts tax_amounts tax_rates"


def check_period(given: Obj, at: str) -> Obj:
    """Return the period after checking that its end is not before its start.

    Raises:
        StripeError: the end is before the start.
    """
    if given["end"] < given["start"]:
        raise StripeError("The period's `end` must not be before its `start`.", param=f"{at}[period][end]")
    return {"start": given["start"], "end": given["end"]}


def _quantity(given: Obj, at: str) -> Decimal:
    if "quantity" in given and "quantity_decimal" in given:
        message = "You may only specify one of these parameters: quantity, quantity_decimal."
        raise StripeError(message, param=f"{at}[quantity]")
    value = Decimal(given.get("quantity", given.get("quantity_decimal")) or 0)
    if value < 0:
        raise StripeError("The quantity must not be negative.", param=f"{at}[quantity_decimal]")
    return value if {"quantity", "quantity_decimal"} & set(given) else Decimal(1)


def _priced(ctx: Context, given: Obj, code: str, quantity: Decimal, at: str) -> tuple[int, Obj, str | None]:
    """Return amount, pricing and name of a line with a price."""
    if "pricing" in given:
        where = f"{at}[pricing][price]"
        price = ctx.load("price", given["pricing"].get("price", ""), where)
        if price["recurring"] is not None:
            raise StripeError("The price must be of `type=one_time`.", param=where)
    else:
        data, where = given["price_data"], f"{at}[price_data]"
        price = new_price(ctx, data, product_of(ctx, data, where), unit_amount(data, where))
        price["active"] = False
        ctx.save("price", price)
    if price["currency"] != code:
        message = f"The price's currency ({price['currency']}) must match the invoice's ({code})."
        raise StripeError(message, param=where)
    unit = Decimal(price["unit_amount_decimal"])
    amount = int((unit * quantity).quantize(Decimal(1), ROUND_HALF_UP))
    details = {"price": price["id"], "product": price["product"]}
    pricing = {"type": "price_details", "price_details": details, "unit_amount_decimal": plain(unit)}
    return amount, pricing, ctx.load("product", price["product"])["name"]


def value_of(ctx: Context, given: Obj, code: str, at: str) -> Obj:
    """Return amount, quantity, pricing and default description from a line's parameters.

    Raises:
        StripeError: the parameters give no amount, give it in more than one way, or it cannot be charged.
    """
    ways = [name for name in ("amount", "price_data", "pricing") if name in given]
    if len(ways) != 1:
        message = "You must specify exactly one of `amount`, `price_data` and `pricing` for a line."
        raise StripeError(
            message, code=None if ways else "parameter_missing", param=f"{at}[amount]" if at else "amount"
        )
    quantity = _quantity(given, at)
    if ways == ["amount"]:
        amount, pricing, name = given["amount"], None, None
    else:
        amount, pricing, name = _priced(ctx, given, code, quantity, at)
    check_amount(amount, code, f"{at}[{ways[0]}]" if at else ways[0])
    whole = quantity == int(quantity)
    return {
        "amount": amount,
        "subtotal": amount,
        "quantity": int(quantity) if whole else None,
        "quantity_decimal": plain(quantity),
        "pricing": pricing,
        "description": given.get("description", name),
    }


def new_line(ctx: Context, invoice: Obj, given: Obj, at: str, item: str | None = None) -> Obj:
    """Build a line from its parameters, without storing it. `item`: the id of its invoice item."""
    parent = {
        "invoice_item": item or new_id("ii_1"),
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": None,
    }
    period = given.get("period", {"start": ctx.now, "end": ctx.now})
    return {
        "id": new_id("il_1"),
        "object": "line_item",
        "currency": invoice["currency"],
        "discount_amounts": [],
        "discountable": given.get("discountable", True),
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": parent,
            "subscription_item_details": None,
        },
        "period": check_period(period, at),
        "pretax_credit_amounts": [],
        "subscription": None,
        "taxes": [],
        **value_of(ctx, given, invoice["currency"], at),
    }


def add_lines(ctx: Context, invoice: Obj, lines: list[Obj]) -> None:
    """Store lines at the end of a draft and add them to its totals. The caller saves the invoice.

    Raises:
        StripeError: the invoice would have more than 250 lines.
    """
    had = ctx.store.count("line_item", parent=invoice["id"])
    if had + len(lines) > MAX_LINES:
        raise StripeError(
            f"An invoice can have at most {MAX_LINES} line items; this one has {had}, you are adding {len(lines)}.",
            code="invoice_line_items_limit",
            param="lines",
        )
    for line in lines:
        ctx.save("line_item", line)
    if invoice["discounts"]:
        refresh(ctx, invoice)
        return
    listed = invoice["lines"]
    data = [*listed["data"], *lines][:EMBEDDED]
    invoice["lines"] = {**listed, "data": data, "has_more": had + len(lines) > EMBEDDED}
    set_total(invoice, invoice["subtotal"] + sum(line["amount"] for line in lines))


def refresh(ctx: Context, invoice: Obj) -> None:
    """Set the embedded lines, the discounts and the totals, after lines or discounts were changed or removed."""
    lines = lines_of(ctx, invoice)
    spread(ctx, invoice, lines)
    embed(invoice, lines)
    set_total(invoice, sum(line["amount"] for line in lines))


def lines_of(ctx: Context, invoice: Obj) -> list[Obj]:
    """Return all lines of an invoice."""
    query = Query("line_item", [("parent = ?", invoice["id"])], MAX_LINES, oldest_first=True)
    return [json.loads(text) for text in ctx.store.page(query)[0]]


def embed(invoice: Obj, lines: list[Obj]) -> None:
    """Set the first of an invoice's lines, which it shows itself."""
    invoice["lines"] = {**invoice["lines"], "data": lines[:EMBEDDED], "has_more": len(lines) > EMBEDDED}


def line_of(ctx: Context, invoice: Obj, line_id: str, param: str) -> Obj:
    """Return a line of this invoice.

    Raises:
        StripeError: `resource_missing`.
    """
    line = ctx.load("line_item", line_id, param)
    if line["invoice"] != invoice["id"]:
        raise missing_object("invoice line item", line_id, param)
    return line


def change_line(ctx: Context, invoice: Obj, line: Obj, given: Obj, at: str) -> None:
    """Change a line as its parameters say, and store it."""
    if {"amount", "price_data", "pricing", "quantity", "quantity_decimal"} & set(given):
        if not {"amount", "price_data", "pricing"} & set(given):
            pricing = line["pricing"]
            worth = {"pricing": {"price": pricing["price_details"]["price"]}} if pricing else {"amount": line["amount"]}
            given = {**given, **worth}
        value = value_of(ctx, given, invoice["currency"], at)
        line.update({**value, "description": value["description"] or line["description"]})
    for name in ("description", "discountable"):
        if name in given:
            line[name] = given[name]
    if "period" in given:
        line["period"] = check_period(given["period"], at)
    if "metadata" in given:
        line["metadata"] = merge_metadata(line["metadata"], given["metadata"])
    ctx.save("line_item", line)
