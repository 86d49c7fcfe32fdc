"""`/v1/customers/ID/tax_ids`."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text, dumps, new_id
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import missing_object
from stripe_emulator.params.addresses import TAX_ID, check_tax_id
from stripe_emulator.params.specs import EXPAND, Params, listing


def add(ctx: Context, customer: str, given: Obj, at: str) -> Text:
    """Give a customer a tax id. Its verification stays pending where Stripe verifies, else it is unavailable."""
    check_tax_id(given["type"], given["value"], f"{at}[value]" if at else "value")
    country = given["value"][:2] if given["type"] == "eu_vat" else given["type"][:2].upper()
    pending = given["type"] in ("eu_vat", "gb_vat", "au_abn")
    tax_id: Obj = {
        "id": new_id("txi_1"),
        "object": "tax_id",
        "country": country,
        "created": ctx.now,
        "customer": customer,
        "livemode": False,
        "owner": {"type": "customer", "customer": customer},
        "type": given["type"],
        "value": given["value"],
        "verification": {
            "status": "pending" if pending else "unavailable",
            "verified_address": None,
            "verified_name": None,
        },
    }
    return ctx.save("tax_id", tax_id, "customer.tax_id.created")


def create(ctx: Context) -> Text:
    """Give a customer a tax id."""
    customer = ctx.load("customer", ctx.ids[0])
    return add(ctx, customer["id"], ctx.params, "")


def _one(ctx: Context) -> Obj:
    tax_id = ctx.load("tax_id", ctx.ids[1])
    if tax_id["customer"] != ctx.ids[0]:
        raise missing_object("tax id", ctx.ids[1])
    return tax_id


def retrieve(ctx: Context) -> Text:
    """Return a tax id."""
    return Text(dumps(_one(ctx)))


def delete(ctx: Context) -> Obj:
    """Delete a tax id."""
    tax_id = _one(ctx)
    ctx.store.delete("tax_id", tax_id["id"])
    ctx.emit("customer.tax_id.deleted", dumps(tax_id))
    return {"id": tax_id["id"], "object": "tax_id", "deleted": True}


def list_all(ctx: Context) -> Text:
    """List a customer's tax ids, newest first."""
    ctx.load("customer", ctx.ids[0])
    query = Query("tax_id", [("customer = ?", ctx.ids[0])])
    return ctx.listing(f"/v1/customers/{ctx.ids[0]}/tax_ids", query)


ENDPOINTS = [
    Endpoint(
        "POST", "/v1/customers/{}/tax_ids", Params(TAX_ID.fields, expand=EXPAND, required=TAX_ID.required), create
    ),
    Endpoint("GET", "/v1/customers/{}/tax_ids", listing(), list_all),
    Endpoint("GET", "/v1/customers/{}/tax_ids/{}", Params(expand=EXPAND), retrieve),
    Endpoint("DELETE", "/v1/customers/{}/tax_ids/{}", Params(), delete),
]
