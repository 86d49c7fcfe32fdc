"""Refunds in Postgres."""

from __future__ import annotations

from temporalio import activity

from activities.step import step
from contracts.messages.refunds import PaymentRefunds, RefundsRecorded
from contracts.names import Activities
from storage.invoices import refunds
from storage.postgres.database import Database


class RefundActivities:
    """Records refunds of our invoices."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.RECORD_REFUNDS)
    async def record(self, listed: PaymentRefunds) -> RefundsRecorded:
        """Record a payment's refunds as Stripe has them now, if the payment was for one of our invoices. Idempotent."""
        async with step():
            records = [refunds.RefundRecord(**refund.model_dump()) for refund in listed.refunds]
            invoice = await refunds.record(self._db, stripe_invoice_ids=listed.stripe_invoice_ids, refunds=records)
            if invoice is None:
                return RefundsRecorded()
            key, attribution_id, billing_period = invoice
            return RefundsRecorded(invoice_key=key, attribution_id=attribution_id, billing_period=billing_period)
