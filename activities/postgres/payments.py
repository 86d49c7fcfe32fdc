"""Disputes and refunds in Postgres."""

from __future__ import annotations

from temporalio import activity

from activities.step import step
from contracts.messages.payments import DisputeRecorded, PaymentRefunds, RecordDispute, RefundsRecorded
from contracts.names import Activities
from storage.invoices import disputes, refunds
from storage.postgres.database import Database


class DisputeActivities:
    """Records disputes of our invoices."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.RECORD_DISPUTE)
    async def record(self, order: RecordDispute) -> DisputeRecorded:
        """Record a dispute as Stripe has it now, if the disputed payment was for one of our invoices."""
        async with step():
            found = order.dispute
            invoice = await disputes.record(
                self._db,
                stripe_invoice_ids=found.stripe_invoice_ids,
                keys=found.invoice_keys,
                dispute=disputes.DisputeRecord(
                    stripe_dispute_id=found.stripe_dispute_id,
                    amount=found.amount,
                    currency=found.currency,
                    reason=found.reason,
                    status=found.status,
                    opened_at=found.opened_at,
                    closed_at=order.heard_at if found.status in disputes.CLOSED else None,
                ),
            )
            recorded = DisputeRecorded(stripe_dispute_id=found.stripe_dispute_id, status=found.status)
            return recorded if invoice is None else recorded.model_copy(update=invoice.named)


class RefundActivities:
    """Records refunds of our invoices."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.RECORD_REFUNDS)
    async def record(self, listed: PaymentRefunds) -> RefundsRecorded:
        """Record a payment's refunds as Stripe has them now, if the payment was for one of our invoices. Idempotent."""
        async with step():
            records = [refunds.RefundRecord(**refund.model_dump()) for refund in listed.refunds]
            invoice = await refunds.record(
                self._db, stripe_invoice_ids=listed.stripe_invoice_ids, keys=listed.invoice_keys, refunds=records
            )
            return RefundsRecorded() if invoice is None else RefundsRecorded(**invoice.named)
