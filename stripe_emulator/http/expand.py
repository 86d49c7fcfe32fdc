"""`expand`: replace an id in an answer by the object that it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.locations import location
from stripe_emulator.engine.objects import dumps
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError

_KINDS = {
    "charge": "charge",
    "coupon": "coupon",
    "customer": "customer",
    "discount": "discount",
    "discounts": "discount",
    "default_price": "price",
    "invoice": "invoice",
    "latest_invoice": "invoice",
    "price": "price",
    "product": "product",
    "refund": "refund",
    "subscription": "subscription",
}
_DEEPEST = 6


def expand(context: Context, text: str, paths: list[str]) -> str:
    """Return the answer with each path (`customer`, `data.customer`, `items.data.price.product`) expanded.

    Raises:
        StripeError: a path is too deep, or names nothing that can be expanded.
    """
    answer = json.loads(text)
    for path in paths:
        segments = path.split(".")
        if len(segments) > _DEEPEST:
            raise StripeError("You cannot expand more than 4 levels of a property.", param="expand")
        _walk(context, answer, segments, path)
    return dumps(answer)


def _walk(context: Context, node: Any, segments: list[str], path: str) -> None:
    if isinstance(node, list):
        for one in node:
            _walk(context, one, segments, path)
        return
    if not segments or not isinstance(node, dict):
        return
    name, rest = segments[0], segments[1:]
    hidden = _HIDDEN.get((node.get("object"), name))
    if hidden is not None:
        node[name] = hidden(context, node["id"])
    elif name not in node:
        raise _impossible(path)
    value = node[name]
    if isinstance(value, list) and name in _KINDS:
        node[name] = [_named(context, name, one) for one in value]
    elif isinstance(value, str):
        if name not in _KINDS:
            raise _impossible(path)
        node[name] = _named(context, name, value)
    elif not rest and value is not None and not isinstance(value, dict | list):
        raise _impossible(path)
    _walk(context, node[name], rest, path)


def _named(context: Context, name: str, value: Any) -> Any:
    """Return the object that an id names, or the value itself if it is no id or the object is gone."""
    if not isinstance(value, str):
        return value
    found = context.store.text(_KINDS[name], value) or context.store.text(f"deleted_{_KINDS[name]}", value)
    return value if found is None else json.loads(found)


def _subscriptions(context: Context, customer: str) -> Obj:
    query = Query("subscription", [("customer = ?", customer), ("status <> 'canceled'", None)])
    return _listed(context, query, f"/v1/customers/{customer}/subscriptions")


def _payments(context: Context, invoice: str) -> Obj:
    return _listed(context, Query("invoice_payment", [("parent = ?", invoice)]), "/v1/invoice_payments")


def _tax_ids(context: Context, customer: str) -> Obj:
    return _listed(context, Query("tax_id", [("customer = ?", customer)]), f"/v1/customers/{customer}/tax_ids")


def _tax(context: Context, customer: str) -> Obj:
    found = location(context.account.country, context.load("customer", customer))
    status = "unrecognized_location" if found is None else "supported"
    return {"automatic_tax": status, "ip_address": None, "location": found, "provider": "stripe"}


def _listed(context: Context, query: Query, url: str) -> Obj:
    texts, more = context.store.page(query)
    return {"object": "list", "data": [json.loads(text) for text in texts], "has_more": more, "url": url}


# What an answer contains only when it is expanded.
_HIDDEN: dict[tuple[Any, str], Callable[[Context, str], Obj]] = {
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax"): _tax,
    ("customer", "tax_ids"): _tax_ids,
    ("invoice", "payments"): _payments,
}


def _impossible(path: str) -> StripeError:
    return StripeError(f"This property cannot be expanded ({path}).", param="expand")
