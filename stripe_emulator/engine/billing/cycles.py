"""Timed changes of a subscription: cycles, the end of a trial, the scheduled end."""

from __future__ import annotations

from stripe_emulator.engine.billing.invoices import bill_cycle, bill_end, has_metered
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.cancellation import end_subscription
from stripe_emulator.engine.invoices.state import write_off
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.subscriptions.state import (
    ENDED,
    INCOMPLETE_FOR,
    resume_collection,
    schedule,
    set_periods,
)


def clock_passed(ctx: Context, subscription_id: str) -> None:
    """Make the due change: end the subscription, end its trial, or advance it to the present period."""
    subscription = ctx.store.get("subscription", subscription_id)
    if subscription is None or subscription["status"] in ENDED:
        ctx.store.set_timer("subscription", subscription_id, None)
        return
    resume_collection(ctx, subscription)
    cancel_at = subscription["cancel_at"]
    if cancel_at is not None and cancel_at <= ctx.now:
        end_scheduled(ctx, subscription, cancel_at)
    elif subscription["status"] == "incomplete":
        if subscription["created"] + INCOMPLETE_FOR <= ctx.now:
            _expire(ctx, subscription)
        else:
            schedule(ctx, subscription)
    elif not _trial_ended_otherwise(ctx, subscription):
        _go_on(ctx, subscription)


def end_scheduled(ctx: Context, subscription: Obj, at: int) -> None:
    """End a subscription as scheduled; the metered usage of its last period still gets an invoice."""
    if ctx.behaviour.subscription_invoices and has_metered(subscription):
        bill_end(ctx, subscription, at)
    end_subscription(ctx, subscription, "cancellation_requested", at)


def _go_on(ctx: Context, subscription: Obj) -> None:
    before = dict(subscription)
    if subscription["status"] == "trialing" and subscription["trial_end"] <= ctx.now:
        subscription["status"] = "active"
    if subscription["status"] != "paused":
        set_periods(subscription, ctx.now)
        if ctx.behaviour.subscription_invoices:
            bill_cycle(ctx, subscription, before["items"]["data"])
    text = ctx.save("subscription", subscription)
    names = [name for name in ("status", "latest_invoice") if before[name] != subscription[name]]
    if names or before["items"] != subscription["items"]:
        emit_updated(ctx, text, {name: before[name] for name in names})
    schedule(ctx, subscription)


def emit_updated(ctx: Context, text: Text, previous: Obj) -> None:
    """Emit `customer.subscription.updated`, even if only the items' periods differ."""
    ctx.emit("customer.subscription.updated", text, previous or None)


def _trial_ended_otherwise(ctx: Context, subscription: Obj) -> bool:
    """Pause or cancel at the end of a trial without a payment method, as `trial_settings` say.

    Returns whether it did.
    """
    if subscription["status"] != "trialing" or subscription["trial_end"] > ctx.now:
        return False
    how = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if how == "create_invoice" or subscription["collection_method"] == "send_invoice":
        return False
    customer = ctx.load("customer", subscription["customer"])
    if subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]:
        return False
    if how == "cancel":
        end_subscription(ctx, subscription, "payment_failed", subscription["trial_end"])
        return True
    before = dict(subscription)
    subscription["status"] = "paused"
    events = ("customer.subscription.updated", "customer.subscription.paused")
    ctx.save("subscription", subscription, *events, before=before)
    schedule(ctx, subscription)
    return True


def _expire(ctx: Context, subscription: Obj) -> None:
    """Expire an incomplete subscription whose first invoice was not paid in time, and void that invoice."""
    invoice = ctx.load("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        write_off(ctx, invoice, "void")
    before = dict(subscription)
    subscription["status"], subscription["ended_at"] = "incomplete_expired", ctx.now
    ctx.store.set_timer("subscription", subscription["id"], None)
    ctx.save("subscription", subscription, "customer.subscription.updated", before=before)
