"""Products and prices, created by themselves or from the data of an invoice line or a subscription item."""

from __future__ import annotations

from decimal import Decimal

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import merge_metadata, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError


def new_product(ctx: Context, name: str, product_id: str | None = None) -> Obj:
    """Build a product, without storing it."""
    return {
        "id": product_id or new_id("prod"),
        "object": "product",
        "active": True,
        "created": ctx.now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "unit_label": None,
        "updated": ctx.now,
        "url": None,
    }


def product_of(ctx: Context, data: Obj, at: str) -> str:
    """Return the id of the product that price data names (`product`) or describes (`product_data`)."""
    if data.get("product") is not None:
        return str(ctx.load("product", data["product"], f"{at}[product]")["id"])
    if data.get("product_data") is None:
        raise StripeError(f"Missing required param: {at}[product].", code="parameter_missing", param=f"{at}[product]")
    product = new_product(ctx, data["product_data"]["name"])
    product["description"] = data["product_data"].get("description")
    product["metadata"] = merge_metadata({}, data["product_data"].get("metadata") or {})
    ctx.save("product", product, "product.created")
    return str(product["id"])


def unit_amount(data: Obj, at: str) -> Decimal:
    """Return the price of one unit in minor units.

    Raises:
        StripeError: neither or both of `unit_amount` and `unit_amount_decimal` are given.
    """
    given = [name for name in ("unit_amount", "unit_amount_decimal") if data.get(name) is not None]
    if len(given) != 1:
        message = "You must specify exactly one of `unit_amount` and `unit_amount_decimal`."
        raise StripeError(message, param=at or None)
    return Decimal(data[given[0]])


def plain(value: Decimal) -> str:
    """Return a decimal in plain notation without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def new_price(ctx: Context, data: Obj, product: str, amount: Decimal) -> Obj:
    """Build a price, without storing it."""
    recurring = data.get("recurring")
    return {
        "id": new_id("price_1"),
        "object": "price",
        "active": data.get("active", True),
        "billing_scheme": "per_unit",
        "created": ctx.now,
        "currency": data["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": data.get("lookup_key"),
        "metadata": merge_metadata({}, data.get("metadata") or {}),
        "nickname": data.get("nickname"),
        "product": product,
        "recurring": recurring and {"interval_count": 1, "usage_type": "licensed", "meter": None, **recurring},
        "tax_behavior": data.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(amount) if amount == int(amount) else None,
        "unit_amount_decimal": plain(amount),
    }
