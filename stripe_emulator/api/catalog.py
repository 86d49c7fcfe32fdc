"""`/v1/products` and `/v1/prices`: the part that subscriptions and invoice lines need."""

from __future__ import annotations

from stripe_emulator.api.catalog_objects import change, chosen_id
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.engine.prices import new_price, new_product, product_of, unit_amount
from stripe_emulator.engine.store import Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import (
    EXPAND,
    Params,
    Spec,
    boolean,
    choice,
    clearable,
    currency,
    decimal,
    integer,
    listing,
    metadata,
    one_or_range,
    string,
)

RECURRING = Params(
    interval=choice("day", "week", "month", "year"),
    interval_count=integer(1, 1095),
    usage_type=choice("licensed", "metered"),
    required=["interval"],
    unsupported="meter",
)
INTERVAL = Params(
    interval=choice("day", "week", "month", "year"), interval_count=integer(1, 1095), required=["interval"]
)
PRODUCT_DATA = Params(
    name=string(),
    metadata=metadata(),
    required=["name"],
    unsupported="active id statement_descriptor tax_code unit_label",
)


def create_product(ctx: Context) -> Text:
    """Create a product; the caller can choose its id."""
    wanted = chosen_id(ctx, "product", 250)
    product = new_product(ctx, ctx.params["name"], wanted)
    product["active"] = ctx.params.get("active", True)
    product["description"] = ctx.params.get("description")
    product["metadata"] = merge_metadata({}, ctx.params.get("metadata") or {})
    return ctx.save("product", product, "product.created")


def update_product(ctx: Context) -> Text:
    """Change a product."""
    return change(ctx, "product", "active", "description", "name")


def create_price(ctx: Context) -> Text:
    """Create a price of a product, or of a new product given by `product_data`."""
    amount = unit_amount(ctx.params, "")
    if ("product" in ctx.params) == ("product_data" in ctx.params):
        raise StripeError("You must specify either `product` or `product_data` when creating a price.", param="product")
    if "product" in ctx.params:
        product = str(ctx.load("product", ctx.params["product"], "product")["id"])
    else:
        product = product_of(ctx, ctx.params, "product_data")
    return ctx.save("price", new_price(ctx, ctx.params, product, amount), "price.created")


def update_price(ctx: Context) -> Text:
    """Change the mutable fields of a price."""
    return change(ctx, "price", "active", "nickname", "lookup_key")


def retrieve_product(ctx: Context) -> Text:
    """Return a product."""
    return ctx.text("product", ctx.ids[0])


def retrieve_price(ctx: Context) -> Text:
    """Return a price."""
    return ctx.text("price", ctx.ids[0])


def list_products(ctx: Context) -> Text:
    """List products, newest first."""
    return ctx.listing("/v1/products", Query("product"), {"active": "$.active"})


def list_prices(ctx: Context) -> Text:
    """List prices, newest first."""
    equal = {"active": "$.active", "product": "parent", "currency": "$.currency", "type": "$.type"}
    return ctx.listing("/v1/prices", Query("price"), equal)


_PRODUCT: dict[str, Spec] = {
    "active": boolean(),
    "description": clearable(string(40000)),
    "expand": EXPAND,
    "metadata": metadata(),
    "name": string(),
}
_PRODUCT_UNSUPPORTED = (
    "images marketing_features package_dimensions shippable statement_descriptor tax_code unit_label url"
)
_PRICE: dict[str, Spec] = {
    "active": boolean(),
    "expand": EXPAND,
    "lookup_key": string(200),
    "metadata": metadata(),
    "nickname": string(),
}
_PRICE_UNSUPPORTED = (
    "billing_scheme currency_options custom_unit_amount tiers tiers_mode transfer_lookup_key transform_quantity"
)
_NEW_PRICE = Params(
    _PRICE,
    currency=currency(),
    product=string(),
    product_data=PRODUCT_DATA,
    recurring=RECURRING,
    tax_behavior=choice("exclusive", "inclusive", "unspecified"),
    unit_amount=integer(),
    unit_amount_decimal=decimal(),
    required=["currency"],
    unsupported=_PRICE_UNSUPPORTED,
)
_PRICE_LIST = listing(
    "lookup_keys recurring",
    active=boolean(),
    created=one_or_range(),
    currency=currency(),
    product=string(),
    type=choice("one_time", "recurring"),
)
ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/products",
        Params(_PRODUCT, id=string(), required=["name"], unsupported=_PRODUCT_UNSUPPORTED + " default_price_data"),
        create_product,
    ),
    Endpoint(
        "GET", "/v1/products", listing("ids shippable url", active=boolean(), created=one_or_range()), list_products
    ),
    Endpoint("GET", "/v1/products/{}", Params(expand=EXPAND), retrieve_product),
    Endpoint(
        "POST", "/v1/products/{}", Params(_PRODUCT, unsupported=_PRODUCT_UNSUPPORTED + " default_price"), update_product
    ),
    Endpoint("POST", "/v1/prices", _NEW_PRICE, create_price),
    Endpoint("GET", "/v1/prices", _PRICE_LIST, list_prices),
    Endpoint("GET", "/v1/prices/{}", Params(expand=EXPAND), retrieve_price),
    Endpoint(
        "POST",
        "/v1/prices/{}",
        Params(_PRICE, unsupported="currency_options tax_behavior transfer_lookup_key"),
        update_price,
    ),
]
