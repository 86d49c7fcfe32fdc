"""The invoices that subscriptions create automatically if the setting `subscription_invoices` is on.

At a cycle's end the next period's base fees are put on a draft, which is finalized after an hour. Invoices that are due
immediately (creation, a trial cut short, a resumption) are finalized immediately. A metered price gets no line. While
collection is paused, nothing is collected: the invoice stays a draft, or is voided or marked as uncollectible.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import inherited
from stripe_emulator.engine.invoices.finalization import finalize
from stripe_emulator.engine.invoices.items import take_in_pending
from stripe_emulator.engine.invoices.lines import add_lines, new_line
from stripe_emulator.engine.invoices.state import new_invoice, set_schedule, write_off
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.subscriptions.periods import period_at
from stripe_emulator.engine.taxes import enable
from stripe_emulator.params.currencies import to_step

CYCLE = "subscription_cycle"


def parent_of(subscription: Obj) -> Obj:
    """Return the `parent` of an invoice that belongs to the subscription, with its present metadata."""
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return {"type": "subscription_details", "quote_details": None, "subscription_details": details}


def bill_cycle(ctx: Context, subscription: Obj, before: list[Obj]) -> None:
    """Create the draft for the cycle that has just ended: the base fees of the items' next periods.

    `before`: the items before the renewal. Items whose period has not ended are not billed.
    """
    pairs = zip(before, subscription["items"]["data"], strict=True)
    renewed = [(old, new) for old, new in pairs if old["current_period_end"] <= ctx.now]
    if renewed:
        start = min(old["current_period_start"] for old, _ in renewed)
        end = max(old["current_period_end"] for old, _ in renewed)
        _draft(ctx, subscription, CYCLE, (start, end), [(item, Decimal(1)) for _, item in renewed])


def bill_end(ctx: Context, subscription: Obj, at: int) -> None:
    """Create the final draft of a subscription that ends at `at`: pending items, and no base fee."""
    start = min(item["current_period_start"] for item in subscription["items"]["data"])
    _draft(ctx, subscription, CYCLE, (min(start, at), at), [])


def bill_now(ctx: Context, subscription: Obj, reason: str, share: Callable[[Obj], Decimal]) -> Obj:
    """Bill a share of each item's present period on an invoice, and return it.

    It is finalized immediately, unless collection is paused.
    """
    items = [(item, share(item)) for item in subscription["items"]["data"]]
    invoice = _draft(ctx, subscription, reason, (ctx.now, ctx.now), items)
    ctx.save("subscription", subscription)
    if invoice["status"] == "draft" and subscription["pause_collection"] is None:
        finalize(ctx, invoice)
        _refresh_tax(ctx, subscription)
    return invoice


def has_metered(subscription: Obj) -> bool:
    """Return whether the subscription has a metered price, so that its end needs a final invoice."""
    return any(item["price"]["recurring"]["usage_type"] == "metered" for item in subscription["items"]["data"])


def whole(_item: Obj) -> Decimal:
    """Return the share for the whole present period."""
    return Decimal(1)


def rest(item: Obj, now: int) -> Decimal:
    """Return the remaining share of the present period, by the second."""
    start, end = item["current_period_start"], item["current_period_end"]
    return Decimal(end - now) / Decimal(end - start)


def first_share(subscription: Obj, item: Obj) -> Decimal:
    """Return 0 during a trial, a share by the second before a future anchor, and otherwise 1."""
    start, end = item["current_period_start"], item["current_period_end"]
    if subscription["status"] == "trialing":
        return Decimal(0)
    if end > subscription["billing_cycle_anchor"]:
        return Decimal(1)
    recurring = item["price"]["recurring"]
    first, last = period_at(
        subscription["billing_cycle_anchor"], recurring["interval"], recurring["interval_count"], end - 1
    )
    return Decimal(end - start) / Decimal(last - first)


def _draft(
    ctx: Context, subscription: Obj, reason: str, period: tuple[int, int], items: list[tuple[Obj, Decimal]]
) -> Obj:
    customer = ctx.load("customer", subscription["customer"], "customer")
    invoice = new_invoice(ctx, customer, subscription["currency"])
    invoice["billing_reason"] = reason
    invoice["auto_advance"] = subscription["pause_collection"] is None
    invoice["parent"] = parent_of(subscription)
    invoice["period_start"], invoice["period_end"] = period
    for name in ("collection_method", "default_payment_method"):
        invoice[name] = subscription[name]
    enable(invoice, subscription["automatic_tax"])
    if subscription["days_until_due"] is not None:
        invoice["due_date"] = ctx.now + subscription["days_until_due"] * 86400
        ctx.store.set_meta(f"days/{invoice['id']}", subscription["days_until_due"])
    invoice["discounts"] = inherited(ctx, invoice, customer, subscription)
    add_lines(ctx, invoice, [_line(ctx, invoice, subscription, *one) for one in items if not _metered(one[0])])
    take_in_pending(ctx, invoice)
    set_schedule(ctx, invoice)
    ctx.save("invoice", invoice, "invoice.created")
    subscription["latest_invoice"] = invoice["id"]
    _write_off_if_paused(ctx, invoice, subscription["pause_collection"])
    _refresh_tax(ctx, subscription)
    return invoice


def _refresh_tax(ctx: Context, subscription: Obj) -> None:
    """Copy what finalization may have changed in the stored subscription, which the caller saves later."""
    stored = ctx.store.get("subscription", subscription["id"])
    if stored is not None:  # it is not stored before its first invoice
        subscription["automatic_tax"] = stored["automatic_tax"]


def _write_off_if_paused(ctx: Context, invoice: Obj, pause: Obj | None) -> None:
    """Void an invoice made while collection is paused, or mark it as uncollectible; `keep_as_draft` keeps the draft."""
    behavior = None if pause is None else pause["behavior"]
    if behavior == "void":
        write_off(ctx, invoice, "void")  # not finalized first: the customer's balance is not used
    elif behavior == "mark_uncollectible":
        finalize(ctx, invoice, auto_advance=False)
        if invoice["status"] == "open":
            write_off(ctx, invoice, "uncollectible")


def _metered(item: Obj) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def _line(ctx: Context, invoice: Obj, subscription: Obj, item: Obj, share: Decimal) -> Obj:
    """Return a line with an item's base fee for its present period, rounded half up to the currency's step."""
    price = item["price"]
    unit = Decimal(price["unit_amount_decimal"])
    amount = to_step(unit * item["quantity"] * share, price["currency"])
    given = {
        "amount": amount,
        "description": f"{item['quantity']} × {ctx.load('product', price['product'])['name']}",
        "quantity": item["quantity"],
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "metadata": subscription["metadata"],
    }
    line = new_line(ctx, invoice, given, "")
    details = {
        "invoice_item": None,
        "proration": 0 < share < 1,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    line["parent"] = {
        "type": "subscription_item_details", "invoice_item_details": None, "subscription_item_details": details,
    }  # fmt: skip
    line["subscription"] = subscription["id"]
    line["pricing"] = {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
    return line
