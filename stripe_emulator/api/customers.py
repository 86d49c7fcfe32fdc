"""`/v1/customers`."""

from __future__ import annotations

import secrets

from stripe_emulator.api import tax_ids
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.cancellation import end_subscription
from stripe_emulator.engine.invoices.locations import location, unrecognized
from stripe_emulator.engine.objects import Text, dumps, merge_metadata, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.engine.subscriptions.state import ENDED
from stripe_emulator.params.addresses import TAX_ID, address, email
from stripe_emulator.params.specs import (
    EXPAND,
    SEARCH,
    Params,
    Spec,
    choice,
    clearable,
    integer,
    list_of,
    listing,
    metadata,
    one_or_range,
    payment_method,
    string,
)

_UNSUPPORTED = "business_name cash_balance individual_name preferred_locales shipping source tax_exempt "
_UNSUPPORTED_FIRST = _UNSUPPORTED + "payment_method test_clock"
_UNSUPPORTED_LATER = _UNSUPPORTED + (
    "bank_account card default_alipay_account default_bank_account default_card default_source"
)
_SETTINGS = Params(
    default_payment_method=clearable(payment_method()), unsupported="custom_fields footer rendering_options"
)
_FIELDS: dict[str, Spec] = {
    "address": address(),
    "balance": integer(),
    "description": clearable(string()),
    "email": clearable(email()),
    "expand": EXPAND,
    "invoice_prefix": string(12),
    "invoice_settings": _SETTINGS,
    "metadata": metadata(),
    "name": clearable(string(256)),
    "next_invoice_sequence": integer(1, 10**9),
    "phone": clearable(string(20)),
}
_CARD_THAT_PAYS = "pm_card_visa"
_PLAIN = ("address", "balance", "description", "email", "invoice_prefix", "name", "next_invoice_sequence", "phone")


def _apply(customer: Obj, params: Obj) -> None:
    for name in _PLAIN:
        if name in params:
            customer[name] = params[name]
    if "invoice_settings" in params:
        customer["invoice_settings"] = {**customer["invoice_settings"], **params["invoice_settings"]}
    if "metadata" in params:
        customer["metadata"] = merge_metadata(customer["metadata"], params["metadata"])


def _check_location(ctx: Context, customer: Obj) -> None:
    """Refuse a location that is not recognized, `immediately` or (`auto`) if a subscription has automatic tax."""
    when = (ctx.params.get("tax") or {}).get("validate_location")
    wanted = when == "immediately" or (when == "auto" and _taxed(ctx, customer))
    if wanted and location(ctx.account.country, customer) is None:
        raise unrecognized()


def _taxed(ctx: Context, customer: Obj) -> bool:
    rows = ctx.store.run(
        "SELECT 1 FROM object WHERE kind='subscription' AND customer=?"
        " AND json_extract(body, '$.automatic_tax.enabled')",
        (customer["id"],),
    )
    return bool(rows)


def create(ctx: Context) -> Text:
    """Create a customer. Its first invoice or subscription sets its currency."""
    customer: Obj = {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": ctx.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": secrets.token_hex(4).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _apply(customer, ctx.params)
    if ctx.behaviour.customers_have_cards and customer["invoice_settings"]["default_payment_method"] is None:
        customer["invoice_settings"]["default_payment_method"] = _CARD_THAT_PAYS
    _check_location(ctx, customer)
    text = ctx.save("customer", customer, "customer.created")
    for i, given in enumerate(ctx.params.get("tax_id_data", [])):
        tax_ids.add(ctx, customer["id"], given, f"tax_id_data[{i}]")
    return text


def retrieve(ctx: Context) -> Text:
    """Return a customer, or its deleted object."""
    gone = ctx.store.text("deleted_customer", ctx.ids[0])
    return Text(gone) if gone is not None else ctx.text("customer", ctx.ids[0])


def update(ctx: Context) -> Text:
    """Change a customer."""
    customer = ctx.load("customer", ctx.ids[0])
    before = dict(customer)
    _apply(customer, ctx.params)
    _check_location(ctx, customer)
    return ctx.save("customer", customer, "customer.updated", before=before)


def delete(ctx: Context) -> Obj:
    """Delete a customer and cancel its subscriptions; its invoices stay."""
    customer = ctx.load("customer", ctx.ids[0])
    for object_id, status in ctx.store.run(
        "SELECT id, status FROM object WHERE kind='subscription' AND customer=?", (customer["id"],)
    ):
        if status not in ENDED:
            end_subscription(ctx, ctx.load("subscription", object_id), "cancellation_requested")
    gone: Obj = {"id": customer["id"], "object": "customer", "deleted": True}
    ctx.store.delete("customer", customer["id"])
    ctx.store.put("deleted_customer", gone, dumps(gone))
    ctx.search.forget("customer", customer["id"])
    ctx.emit("customer.deleted", dumps(customer))
    return gone


def list_all(ctx: Context) -> Text:
    """List customers, newest first; strongly consistent."""
    return ctx.listing("/v1/customers", Query("customer"), {"email": "label"})


def search(ctx: Context) -> Text:
    """Search customers; the result lags behind writes."""
    return ctx.found("customer", "/v1/customers/search")


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/customers",
        Params(
            _FIELDS,
            tax=Params(validate_location=choice("deferred", "immediately"), unsupported="ip_address"),
            tax_id_data=list_of(TAX_ID, most=25),
            unsupported=_UNSUPPORTED_FIRST,
        ),
        create,
    ),
    Endpoint("GET", "/v1/customers", listing("test_clock", created=one_or_range(), email=string(512)), list_all),
    Endpoint("GET", "/v1/customers/search", SEARCH, search),
    Endpoint("GET", "/v1/customers/{}", Params(expand=EXPAND), retrieve),
    Endpoint(
        "POST",
        "/v1/customers/{}",
        Params(
            _FIELDS,
            tax=Params(validate_location=choice("auto", "deferred", "immediately"), unsupported="ip_address"),
            unsupported=_UNSUPPORTED_LATER,
        ),
        update,
    ),
    Endpoint("DELETE", "/v1/customers/{}", Params(), delete),
]
