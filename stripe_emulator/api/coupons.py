"""`/v1/coupons`, and the end of a customer's or a subscription's discount."""

from __future__ import annotations

import secrets

from stripe_emulator.api.catalog_objects import change, chosen_id
from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import end
from stripe_emulator.engine.objects import Text, dumps, merge_metadata
from stripe_emulator.engine.store import Obj, Query
from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import (
    EXPAND,
    Params,
    Spec,
    choice,
    clearable,
    currency,
    decimal,
    integer,
    listing,
    metadata,
    one_or_range,
    string,
    timestamp,
)


def create(ctx: Context) -> Text:
    """Create a coupon: a percentage, or an amount in one currency."""
    params = ctx.params
    if ("percent_off" in params) == ("amount_off" in params):
        raise StripeError("You must pass either percent_off or amount_off when creating a coupon.", param="percent_off")
    if ("amount_off" in params) != ("currency" in params):
        raise StripeError("Missing required param: currency.", code="parameter_missing", param="currency")
    duration = params.get("duration", "once")
    if (duration == "repeating") != ("duration_in_months" in params):
        message = "`duration_in_months` is required with the duration `repeating`, and only allowed with it."
        raise StripeError(message, param="duration_in_months")
    percent = params.get("percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise StripeError("Invalid percent_off: must be greater than 0 and at most 100.", param="percent_off")
    wanted = chosen_id(ctx, "coupon", 200) or secrets.token_urlsafe(6)
    coupon: Obj = {
        "id": wanted,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": ctx.now,
        "currency": params.get("currency"),
        "duration": duration,
        "duration_in_months": params.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "name": params.get("name"),
        "percent_off": None if percent is None else float(percent),
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    return ctx.save("coupon", coupon, "coupon.created")


def retrieve(ctx: Context) -> Text:
    """Return a coupon."""
    return ctx.text("coupon", ctx.ids[0])


def update(ctx: Context) -> Text:
    """Change a coupon's name and metadata."""
    return change(ctx, "coupon", "name")


def delete(ctx: Context) -> Obj:
    """Delete a coupon; the discounts that it gave stay."""
    coupon = ctx.load("coupon", ctx.ids[0])
    ctx.store.set_meta(f"coupon/{coupon['id']}", coupon)
    ctx.store.delete("coupon", coupon["id"])
    ctx.emit("coupon.deleted", dumps(coupon))
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def list_all(ctx: Context) -> Text:
    """List coupons, newest first."""
    return ctx.listing("/v1/coupons", Query("coupon"))


def end_of_customer(ctx: Context) -> Obj:
    """End a customer's discount."""
    discount = ctx.load("customer", ctx.ids[0])["discount"]
    if discount is None:
        raise _none("customer", ctx.ids[0])
    end(ctx, discount)
    return _deleted(discount)


def end_of_subscription(ctx: Context) -> Obj:
    """End a subscription's discounts, and return the last."""
    ids = ctx.load("subscription", ctx.ids[0])["discounts"]
    if not ids:
        raise _none("subscription", ctx.ids[0])
    ended = [ctx.load("discount", one) for one in ids]
    for discount in ended:
        end(ctx, discount)
    return _deleted(ended[-1])


def _deleted(discount: Obj) -> Obj:
    return {**{name: value for name, value in discount.items() if name != "end"}, "deleted": True}


def _none(kind: str, object_id: str) -> StripeError:
    return StripeError(f"No active discount for {kind}: {object_id}", code="resource_missing", status=404)


_LATER: dict[str, Spec] = {"expand": EXPAND, "metadata": metadata(), "name": clearable(string(40))}
_CREATE = Params(
    _LATER,
    amount_off=integer(1),
    currency=currency(),
    duration=choice("forever", "once", "repeating"),
    duration_in_months=integer(1, 240),
    id=string(),
    max_redemptions=integer(1),
    percent_off=decimal(),
    redeem_by=timestamp(),
    unsupported="applies_to currency_options",
)
ENDPOINTS = [
    Endpoint("POST", "/v1/coupons", _CREATE, create),
    Endpoint("GET", "/v1/coupons", listing(created=one_or_range()), list_all),
    Endpoint("GET", "/v1/coupons/{}", Params(expand=EXPAND), retrieve),
    Endpoint("POST", "/v1/coupons/{}", Params(_LATER, unsupported="currency_options"), update),
    Endpoint("DELETE", "/v1/coupons/{}", Params(), delete),
    Endpoint("DELETE", "/v1/customers/{}/discount", Params(), end_of_customer),
    Endpoint("DELETE", "/v1/subscriptions/{}/discount", Params(), end_of_subscription),
]
