"""A subscription's state and its changes: items, periods, trials, cancellation."""

from __future__ import annotations

from copy import deepcopy

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import merge_metadata, new_id
from stripe_emulator.engine.prices import new_price, product_of, unit_amount
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.subscriptions.periods import period_at
from stripe_emulator.engine.taxes import enable
from stripe_emulator.errors import StripeError

ENDED = ("canceled", "incomplete_expired")
INCOMPLETE_FOR = 23 * 3600


def _price(ctx: Context, item: Obj, at: str) -> Obj:
    if ("price" in item) == ("price_data" in item):
        raise StripeError("You must specify either `price` or `price_data` for an item.", param=f"{at}[price]")
    if "price" in item:
        price = ctx.load("price", item["price"], f"{at}[price]")
    else:
        data = item["price_data"]
        where = f"{at}[price_data]"
        price = new_price(ctx, data, product_of(ctx, data, where), unit_amount(data, where))
        ctx.save("price", price, "price.created")
    if price["recurring"] is None:
        message = (
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
        )
        raise StripeError(message, param=f"{at}[price]")
    return price


def _item(ctx: Context, subscription: Obj, given: Obj, at: str) -> Obj:
    price = _price(ctx, given, at)
    if price["currency"] != subscription["currency"]:
        message = f"The price's currency {price['currency']} is not the subscription's {subscription['currency']}."
        raise StripeError(message, param=f"{at}[price]")
    item: Obj = {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": ctx.now,
        "current_period_start": subscription["start_date"],
        "current_period_end": subscription["start_date"],
        "discounts": [],
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "price": price,
        "quantity": given.get("quantity", 1),
        "subscription": subscription["id"],
        "tax_rates": [],
    }
    if price["recurring"]["usage_type"] == "metered":
        if "quantity" in given:
            raise StripeError("You can't set a quantity for a metered price.", param=f"{at}[quantity]")
        del item["quantity"]
    return item


def _listed(subscription_id: str, items: list[Obj]) -> Obj:
    return {
        "object": "list",
        "data": items,
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={subscription_id}",
    }


def set_periods(subscription: Obj, now: int) -> None:
    """Set the current period of every item to the period that contains `now`."""
    items = []
    for item in subscription["items"]["data"]:
        recurring = item["price"]["recurring"]
        anchor = subscription["billing_cycle_anchor"]
        trial_end = subscription["trial_end"]
        if trial_end is not None and now < trial_end:
            start, end = subscription["trial_start"], trial_end
        elif now < anchor:
            start, end = subscription["start_date"], anchor
        else:
            start, end = period_at(anchor, recurring["interval"], recurring["interval_count"], now)
            start = max(start, subscription["start_date"]) if start < anchor else start
        items.append({**item, "current_period_start": start, "current_period_end": end})
    subscription["items"] = _listed(subscription["id"], items)


def new_subscription(ctx: Context, customer: Obj) -> Obj:
    """Build a subscription from the request's parameters, without storing it."""
    params = ctx.params
    items = params["items"]
    if not items:
        raise StripeError("You must specify at least one item.", param="items")
    start = params.get("backdate_start_date", ctx.now)
    if start > ctx.now:
        raise StripeError("`backdate_start_date` must be in the past.", param="backdate_start_date")
    first = items[0].get("price_data") or ctx.load("price", items[0].get("price", ""), "items[0][price]")
    code = params.get("currency", first["currency"])
    subscription = _blank(ctx, customer["id"], code, start)
    for name in ("collection_method", "days_until_due", "default_payment_method", "description", "trial_settings"):
        if params.get(name) is not None:
            subscription[name] = params[name]
    if "automatic_tax" in params:
        enable(subscription, params["automatic_tax"])
    subscription["metadata"] = merge_metadata({}, params.get("metadata") or {})
    subscription["billing_cycle_anchor"] = params.get("billing_cycle_anchor", start)
    made = [_item(ctx, subscription, given, f"items[{i}]") for i, given in enumerate(items)]
    subscription["items"] = _listed(subscription["id"], made)
    if "trial_period_days" in params:
        set_trial_end(ctx, subscription, ctx.now + params["trial_period_days"] * 86400)
    elif params.get("trial_end", "now") != "now":
        set_trial_end(ctx, subscription, params["trial_end"])
    set_periods(subscription, ctx.now)
    set_cancellation(ctx, subscription)
    return subscription


_BLANK: Obj = {
    "id": None,
    "object": "subscription",
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor": None,
    "billing_cycle_anchor_config": None,
    "billing_mode": {"flexible": None, "type": "classic"},
    "billing_schedules": [],
    "billing_thresholds": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "cancellation_details": {"comment": None, "feedback": None, "reason": None},
    "collection_method": "charge_automatically",
    "created": None,
    "currency": None,
    "customer": None,
    "days_until_due": None,
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "ended_at": None,
    "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
    "items": {},
    "latest_invoice": None,
    "livemode": False,
    "metadata": {},
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "start_date": None,
    "status": "active",
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    "trial_start": None,
}
"""A subscription without items; `_blank` sets its customer and its start."""


def _blank(ctx: Context, customer: str, code: str, start: int) -> Obj:
    subscription = deepcopy(_BLANK)
    subscription.update(
        id=new_id("sub_1"),
        billing_cycle_anchor=start,
        created=ctx.now,
        currency=code,
        customer=customer,
        start_date=start,
    )
    return subscription


def set_trial_end(ctx: Context, subscription: Obj, at: int | str) -> None:
    """Start, move or end the trial."""
    end = ctx.now if at == "now" else int(at)
    if at != "now" and end <= ctx.now:
        raise StripeError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    trialing = end > ctx.now
    if trialing and subscription["trial_start"] is None:
        subscription["trial_start"] = ctx.now
    if trialing or subscription["trial_start"] is not None:
        subscription["trial_end"] = end
        subscription["billing_cycle_anchor"] = end
    subscription["status"] = "trialing" if trialing else "active"
    if subscription["items"]:
        set_periods(subscription, ctx.now)


def reset_anchor(ctx: Context, subscription: Obj) -> None:
    """Begin a new period of every item now. https://docs.stripe.com/billing/subscriptions/billing-cycle#api-now"""
    subscription["billing_cycle_anchor"] = ctx.now
    set_periods(subscription, ctx.now)


def set_cancellation(ctx: Context, subscription: Obj) -> None:
    """Set the scheduled end from the request's `cancel_at` and `cancel_at_period_end`."""
    params = ctx.params
    if params.get("cancel_at_period_end"):
        at = min(item["current_period_end"] for item in subscription["items"]["data"])
    elif params.get("cancel_at") is not None:
        at = params["cancel_at"]
        if at <= ctx.now:
            raise StripeError("`cancel_at` must be in the future.", param="cancel_at")
    else:
        at = None
    subscription["cancel_at"] = at
    subscription["cancel_at_period_end"] = bool(params.get("cancel_at_period_end"))
    subscription["canceled_at"] = None if at is None else ctx.now
    reason = None if at is None else "cancellation_requested"
    subscription["cancellation_details"] = {**subscription["cancellation_details"], "reason": reason}


def change_items(ctx: Context, subscription: Obj, given: list[Obj]) -> None:
    """Change, delete and add items."""
    items: dict[str, Obj] = {item["id"]: item for item in subscription["items"]["data"]}
    for i, change in enumerate(given):
        at = f"items[{i}]"
        item = items.get(change.get("id", ""))
        if "id" not in change:
            made = _item(ctx, subscription, change, at)
            items[made["id"]] = made
        elif item is None:
            raise StripeError(
                f"No such subscription item: '{change['id']}'", code="resource_missing", param=f"{at}[id]"
            )
        elif change.get("deleted"):
            del items[item["id"]]
        else:
            items[item["id"]] = _changed(ctx, item, change, at)
    if not items:
        raise StripeError("A subscription must have at least one item.", param="items")
    subscription["items"] = _listed(subscription["id"], list(items.values()))
    set_periods(subscription, ctx.now)


def _changed(ctx: Context, item: Obj, change: Obj, at: str) -> Obj:
    changed = dict(item)
    if "price" in change or "price_data" in change:
        changed["price"] = _price(ctx, change, at)
    if "quantity" in change:
        changed["quantity"] = change["quantity"]
    if "metadata" in change:
        changed["metadata"] = merge_metadata(item["metadata"], change["metadata"])
    return changed


def resume_collection(ctx: Context, subscription: Obj) -> None:
    """Resume the collection of payments once `resumes_at` is reached."""
    resumes_at = (subscription["pause_collection"] or {}).get("resumes_at")
    if resumes_at is None or resumes_at > ctx.now:
        return
    before = dict(subscription)
    subscription["pause_collection"] = None
    ctx.save("subscription", subscription, "customer.subscription.updated", before=before)


def schedule(ctx: Context, subscription: Obj) -> None:
    """Set the timer for the subscription's next timed change.

    That is its end, the end of its trial or of paused collection, or its next period.
    """
    resumes_at = (subscription["pause_collection"] or {}).get("resumes_at")
    ends = (subscription["cancel_at"], subscription["trial_end"], resumes_at)
    due = [at for at in ends if at is not None and at > ctx.now]
    if subscription["status"] == "incomplete":
        due.append(subscription["created"] + INCOMPLETE_FOR)
    elif subscription["status"] != "paused":
        due += [item["current_period_end"] for item in subscription["items"]["data"]]
    ctx.store.set_timer("subscription", subscription["id"], min(due) if due else None)
