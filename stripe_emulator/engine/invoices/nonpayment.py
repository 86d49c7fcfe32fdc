"""The consequences of an unpaid invoice: further attempts, and finally the cancellation of its subscription."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.cancellation import end_subscription
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.subscriptions.state import ENDED, schedule

RETRY_AFTER = 86400


def _subscription(ctx: Context, invoice: Obj) -> Obj | None:
    if invoice["parent"] is None:
        return None
    return ctx.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])


def plan_retry(ctx: Context, invoice: Obj) -> None:
    """After a failed attempt, plan the next a day later while there were fewer than `unpaid_after_attempts`."""
    most = ctx.behaviour.unpaid_after_attempts
    if most is None:
        return
    collected = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    due = ctx.now + RETRY_AFTER if collected and invoice["attempt_count"] < most else None
    invoice["next_payment_attempt"] = due
    ctx.store.set_timer("invoice", invoice["id"], due)


def after_failure(ctx: Context, invoice: Obj) -> None:
    """Mark the invoice's subscription as past due, or cancel it once the attempts are used up."""
    subscription = _subscription(ctx, invoice)
    if subscription is None or subscription["status"] not in ("active", "past_due") or not ctx.behaviour.stepwise:
        return
    most = ctx.behaviour.unpaid_after_attempts
    if most is not None and invoice["attempt_count"] >= most:
        end_subscription(ctx, subscription, "payment_failed")
    elif subscription["status"] == "active" and invoice["billing_reason"] != "subscription_create":
        before = dict(subscription)
        subscription["status"] = "past_due"
        ctx.save("subscription", subscription, "customer.subscription.updated", before=before)


def after_payment(ctx: Context, invoice: Obj) -> None:
    """Activate the invoice's subscription if it is past due, or incomplete and this is its latest invoice."""
    subscription = _subscription(ctx, invoice)
    if subscription is None or subscription["status"] not in ("incomplete", "past_due"):
        return
    if subscription["latest_invoice"] == invoice["id"] or subscription["status"] == "past_due":
        before = dict(subscription)
        subscription["status"] = "active"
        ctx.save("subscription", subscription, "customer.subscription.updated", before=before)
        schedule(ctx, subscription)  # otherwise an incomplete subscription would expire


def collection_is_over(ctx: Context, invoice: Obj) -> bool:
    """Return whether the invoice belongs to an ended subscription."""
    subscription = _subscription(ctx, invoice)
    return subscription is not None and subscription["status"] in ENDED
