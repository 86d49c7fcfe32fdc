"""Objects in the shape of older API versions: before 2025-03-31.basil, and charges before 2022-11-15.

Sources: https://docs.stripe.com/changelog/basil (invoices' parent, partial payments, periods of subscription items,
taxes) and https://docs.stripe.com/changelog/2022-11-15 (refunds of a charge). Only answers and events are rendered;
the parameters of a request are always the present version's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from stripe_emulator.engine.objects import dumps
from stripe_emulator.engine.store import Obj, Query, Store
from stripe_emulator.engine.taxes import tax_of
from stripe_emulator.params.versions import BASIL, NO_REFUNDS, before


def rendered(store: Store, text: str, version: str) -> str:
    """Return an object's or a list's JSON text as an API version has it. Events keep their own version."""
    if not before(version, BASIL):
        return text
    return dumps(_walk(store, json.loads(text), version))


def _walk(store: Store, node: Any, version: str) -> Any:
    if isinstance(node, list):
        return [_walk(store, one, version) for one in node]
    if not isinstance(node, dict) or node.get("object") == "event" or node.get("deleted"):
        return node
    change = _OLDER.get(node.get("object", ""))
    shown = node if change is None else change(store, node, version)
    return {name: _walk(store, value, version) for name, value in shown.items()}


def _without(thing: Obj, *names: str) -> Obj:
    return {name: value for name, value in thing.items() if name not in names}


def _tax_amounts(taxes: list[Obj] | None) -> list[Obj]:
    return [
        {
            "amount": one["amount"],
            "inclusive": one["tax_behavior"] == "inclusive",
            "tax_rate": None,
            "taxability_reason": one["taxability_reason"],
            "taxable_amount": one["taxable_amount"],
        }
        for one in taxes or []
    ]


def _invoice(store: Store, invoice: Obj, _version: str) -> Obj:
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    intent, charge = _payment_of(store, invoice["id"])
    off_stripe = invoice["amount_paid_off_stripe"]
    return {
        **_without(invoice, "parent", "total_taxes", "amount_overpaid", "amount_paid_off_stripe", "payments"),
        "amount_paid": invoice["amount_paid"] - off_stripe,
        "application_fee_amount": None,
        "charge": charge,
        "discount": None,
        "paid": invoice["status"] == "paid",
        "paid_out_of_band": off_stripe > 0,
        "payment_intent": intent,
        "quote": None,
        "subscription": details.get("subscription"),
        "subscription_details": {"metadata": details.get("metadata")},
        "tax": tax_of(invoice["total_taxes"]) if invoice["total_taxes"] else None,
        "total_tax_amounts": _tax_amounts(invoice["total_taxes"]),
        "transfer_data": None,
    }


def _payment_of(store: Store, invoice: str) -> tuple[str | None, str | None]:
    """Return the payment intent and the charge that paid an invoice."""
    texts, _ = store.page(Query("invoice_payment", [("parent = ?", invoice)], limit=1))
    intent = json.loads(texts[0])["payment"]["payment_intent"] if texts else None
    charges, _ = store.page(Query("charge", [("parent = ?", intent)], limit=1)) if intent else ([], False)
    return intent, json.loads(charges[0])["id"] if charges else None


def _line_item(store: Store, line: Obj, _version: str) -> Obj:
    parent, pricing = line["parent"] or {}, line["pricing"] or {}
    of_subscription = parent.get("subscription_item_details")
    details: Obj = of_subscription or parent.get("invoice_item_details") or {}
    price = store.text("price", (pricing.get("price_details") or {}).get("price", ""))
    shown = {
        **_without(line, "parent", "pricing", "taxes", "subtotal"),
        "amount_excluding_tax": line["amount"],
        "invoice_item": details.get("invoice_item"),
        "plan": None,
        "price": None if price is None else json.loads(price),
        "proration": bool(details.get("proration")),
        "proration_details": details.get("proration_details") or {"credited_items": None},
        "subscription": details.get("subscription"),
        "tax_amounts": _tax_amounts(line.get("taxes")),
        "tax_rates": [],
        "type": "subscription" if of_subscription else "invoiceitem",
        "unit_amount_excluding_tax": pricing.get("unit_amount_decimal"),
    }
    return {**shown, "subscription_item": details["subscription_item"]} if of_subscription else shown


def _subscription(_store: Store, subscription: Obj, _version: str) -> Obj:
    items = subscription["items"]["data"]
    return {
        **subscription,
        "current_period_end": min(item["current_period_end"] for item in items),
        "current_period_start": max(item["current_period_start"] for item in items),
        "discount": None,
        "quantity": items[0].get("quantity") if len(items) == 1 else None,
    }


def _subscription_item(_store: Store, item: Obj, _version: str) -> Obj:
    return _without(item, "current_period_end", "current_period_start")


def _charge(store: Store, charge: Obj, version: str) -> Obj:
    paid, _ = store.page(Query("invoice_payment", [("label = ?", charge["payment_intent"])], limit=1))
    shown = {**charge, "invoice": json.loads(paid[0])["invoice"] if paid else None}
    if before(version, NO_REFUNDS):
        refunds, more = store.page(Query("refund", [("label = ?", charge["id"])]))
        data = [json.loads(one) for one in refunds]
        url = f"/v1/charges/{charge['id']}/refunds"
        shown["refunds"] = {"object": "list", "data": data, "has_more": more, "url": url}
    return shown


def _credit_note(_store: Store, note: Obj, _version: str) -> Obj:
    refunds = note["refunds"]
    return {
        **_without(note, "refunds", "total_taxes", "pre_payment_amount", "post_payment_amount"),
        "refund": refunds[0]["refund"] if refunds else None,
        "tax_amounts": _tax_amounts(note["total_taxes"]),
    }


_OLDER: dict[str, Callable[[Store, Obj, str], Obj]] = {
    "charge": _charge,
    "credit_note": _credit_note,
    "invoice": _invoice,
    "line_item": _line_item,
    "subscription": _subscription,
    "subscription_item": _subscription_item,
}
