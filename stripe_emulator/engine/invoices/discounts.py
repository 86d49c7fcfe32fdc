"""Coupons, the discounts that they give to customers, subscriptions and invoices, and what these take off an invoice.

As in Stripe (https://docs.stripe.com/billing/subscriptions/coupons): an invoice has its own discounts, else those of
the subscription that creates it, else its customer's. They alter its total, never its subtotal or its lines' amounts.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import dumps, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.errors import StripeError, missing_object
from stripe_emulator.params.specs import Params, Spec, clearable, list_of, string

_GIVEN = Params(coupon=string(), discount=string(), unsupported="promotion_code")


def discounts() -> Spec:
    """Return the spec of `discounts`: coupons to redeem and discounts to keep; an empty string gives None."""
    return clearable(list_of(_GIVEN, most=20))


def still_valid(ctx: Context, coupon: Obj) -> bool:
    """Whether a coupon can be redeemed now."""
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    return (most is None or coupon["times_redeemed"] < most) and (until is None or ctx.now < until)


def redeem(ctx: Context, coupon_id: str, param: str, currency: str | None, **owner: Any) -> Obj:
    """Redeem a coupon and store its discount. `owner`: `customer`, and `invoice` or `subscription`.

    Raises:
        StripeError: there is no such coupon, it is no longer valid, or it is in another currency.
    """
    coupon = ctx.load("coupon", coupon_id, param)
    if not still_valid(ctx, coupon):
        raise StripeError(f"Coupon expired: {coupon_id}", code="coupon_expired", param=param)
    if coupon["currency"] is not None and currency is not None and coupon["currency"] != currency:
        message = f"The coupon's currency ({coupon['currency']}) must match the currency `{currency}`."
        raise StripeError(message, param=param)
    coupon["times_redeemed"] += 1
    coupon["valid"] = still_valid(ctx, coupon)
    ctx.save("coupon", coupon, "coupon.updated")
    months = coupon["duration_in_months"]
    discount: Obj = {
        "id": new_id("di_1"),
        "object": "discount",
        "checkout_session": None,
        "customer": None,
        "end": None if months is None else _months_later(ctx.now, months),
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"coupon": coupon_id, "type": "coupon"},
        "start": ctx.now,
        "subscription": None,
        "subscription_item": None,
        **owner,
    }
    lasting = discount["invoice"] is None
    ctx.save("discount", discount, *(["customer.discount.created"] if lasting else []))
    return discount


def _months_later(start: int, months: int) -> int:
    at = datetime.fromtimestamp(start, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return int(at.replace(year=year, month=month + 1, day=day).timestamp())


def given_discounts(ctx: Context, thing: Obj, given: list[Obj] | None, **owner: Any) -> list[str]:
    """Return the ids of the discounts that a request gives to an invoice or a subscription, `thing`."""
    found = []
    for i, one in enumerate(given or []):
        if len(one) != 1:
            raise StripeError("You must specify either `coupon` or `discount`.", param=f"discounts[{i}]")
        if "coupon" in one:
            param = f"discounts[{i}][coupon]"
            found.append(redeem(ctx, one["coupon"], param, thing["currency"], **owner)["id"])
        else:
            found.append(ctx.load("discount", one["discount"], f"discounts[{i}][discount]")["id"])
    return [str(one) for one in found]


def inherited(ctx: Context, invoice: Obj, customer: Obj, subscription: Obj | None = None) -> list[str]:
    """Return the discounts that a new invoice inherits. A discount of a `once` coupon ends by that."""
    ids = [] if subscription is None else list(subscription["discounts"])
    if not ids and customer["discount"] is not None:
        ids = [customer["discount"]["id"]]
    found = [ctx.load("discount", one) for one in ids]
    for discount in found:
        ended = discount["end"] is not None and discount["end"] <= ctx.now
        if ended or coupon_of(ctx, discount)["duration"] == "once":
            end(ctx, discount, subscription)
    return [
        str(one["id"])
        for one in found
        if (one["end"] is None or one["end"] > ctx.now)
        and coupon_of(ctx, one)["currency"] in (None, invoice["currency"])
    ]


def end(ctx: Context, discount: Obj, subscription: Obj | None = None) -> None:
    """Take a discount from its customer or its subscription (which the caller saves if it is given)."""
    if discount["subscription"] is not None:
        held = subscription or ctx.load("subscription", discount["subscription"])
        held["discounts"] = [one for one in held["discounts"] if one != discount["id"]]
        if subscription is None:
            ctx.save("subscription", held)
    else:
        customer = ctx.load("customer", discount["customer"])
        before = dict(customer)
        customer["discount"] = None
        ctx.save("customer", customer, "customer.updated", before=before)
    ctx.emit("customer.discount.deleted", dumps(discount))


def give_to_customer(ctx: Context, customer_id: str, coupon_id: str) -> Obj:
    """Give a customer the discount of a coupon, in place of another, as a person does in the dashboard."""
    customer = ctx.load("customer", customer_id)
    if customer["discount"] is not None:
        end(ctx, customer["discount"])
        customer = ctx.load("customer", customer_id)
    before = dict(customer)
    customer["discount"] = redeem(ctx, coupon_id, "coupon", customer["currency"], customer=customer_id)
    ctx.save("customer", customer, "customer.updated", before=before)
    return dict(customer["discount"])


def coupon_of(ctx: Context, discount: Obj) -> Obj:
    """Return the coupon of a discount, also after the coupon was deleted."""
    coupon_id = discount["source"]["coupon"]
    found = ctx.store.get("coupon", coupon_id) or ctx.store.meta(f"coupon/{coupon_id}")
    if found is None:
        raise missing_object("coupon", coupon_id, "coupon")
    return dict(found)


def spread(ctx: Context, invoice: Obj, lines: list[Obj]) -> None:
    """Set `discount_amounts` of an invoice's lines, and `total_discount_amounts` of the invoice.

    Each discount takes its part of what the earlier ones have left of the discountable lines above zero.
    """
    left = {line["id"]: max(0, line["amount"]) if line["discountable"] else 0 for line in lines}
    amounts: dict[str, list[Obj]] = {line["id"]: [] for line in lines}
    totals = []
    for discount_id in invoice["discounts"]:
        parts = _parts(coupon_of(ctx, ctx.load("discount", discount_id)), left)
        for line_id, part in parts.items():
            left[line_id] -= part
            amounts[line_id].append({"amount": part, "discount": discount_id})
        totals.append({"amount": sum(parts.values()), "discount": discount_id})
    invoice["total_discount_amounts"] = totals
    for line in lines:
        if line["discount_amounts"] != amounts[line["id"]]:
            line["discount_amounts"] = amounts[line["id"]]
            ctx.save("line_item", line)


def _parts(coupon: Obj, left: dict[str, int]) -> dict[str, int]:
    """Return the part of each line, so that the parts are in proportion and their sum is the discount."""
    base = sum(left.values())
    if coupon["percent_off"] is not None:
        whole = _rounded(base * Decimal(str(coupon["percent_off"])) / 100)
    else:
        whole = min(base, coupon["amount_off"])
    parts, so_far, given = {}, 0, 0
    for line_id, amount in left.items():
        so_far += amount
        upto = _rounded(Decimal(whole) * so_far / base) if base else 0
        parts[line_id] = upto - given
        given = upto
    return parts


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def taken_off(amounts: list[Obj] | None) -> int:
    """Return the sum of `total_discount_amounts` or `discount_amounts`."""
    return sum(int(one["amount"]) for one in amounts or [])
