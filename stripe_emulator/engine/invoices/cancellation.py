"""The end of a subscription, which also ends the automatic collection of its customer's open invoices."""

from __future__ import annotations

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.state import stop_collection
from stripe_emulator.engine.objects import Text
from stripe_emulator.engine.store import Obj


def end_subscription(ctx: Context, subscription: Obj, reason: str, at: int | None = None) -> Text:
    """Cancel a subscription now, or as of `at` if the clock has passed its scheduled end."""
    ended = ctx.now if at is None else at
    subscription["status"] = "canceled"
    subscription["ended_at"] = ended
    subscription["canceled_at"] = subscription["canceled_at"] or ended
    if at is None:
        subscription["canceled_at"] = ended
    details = subscription["cancellation_details"]
    subscription["cancellation_details"] = {**details, "reason": reason}
    ctx.store.set_timer("subscription", subscription["id"], None)
    text = ctx.save("subscription", subscription, "customer.subscription.deleted")
    _stop_collecting(ctx, subscription["customer"])
    return text


def _stop_collecting(ctx: Context, customer: str) -> None:
    """Stop the automatic collection of all open invoices of a customer who has canceled a subscription.

    See https://docs.stripe.com/api/subscriptions/cancel.
    """
    sql = "SELECT id FROM object WHERE kind='invoice' AND customer=? AND status='open' ORDER BY created, seq"
    for (invoice_id,) in ctx.store.run(sql, (customer,)):
        invoice = ctx.load("invoice", invoice_id)
        before = dict(invoice)
        stop_collection(ctx, invoice)
        ctx.save("invoice", invoice, "invoice.updated", before=before)
