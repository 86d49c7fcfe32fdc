"""The types of Stripe's events that are handled."""

from __future__ import annotations

from contracts.names import CUSTOMER_UPDATED

INVOICE_FINALIZED = "invoice.finalized"
INVOICE_PAID = "invoice.paid"
PAYMENT_FAILED = "invoice.payment_failed"
INVOICE_EVENTS = frozenset(
    [
        INVOICE_FINALIZED,
        "invoice.finalization_failed",
        INVOICE_PAID,
        PAYMENT_FAILED,
        "invoice.marked_uncollectible",
        "invoice.voided",
        "invoice.deleted",
    ]
)
"""Without `invoice.payment_succeeded`, which never comes without `invoice.paid`
(https://docs.stripe.com/api/events/types#event_types-invoice.paid)."""
INVOICE_CREATED = "invoice.created"
"""Matters only if Stripe made the invoice: usage can be put on a subscription's draft."""
INVOICE_UPDATED = "invoice.updated"
"""Matters only if it releases a draft of ours that was held, or stops or resumes the collection of an open invoice:
Stripe sends it for every change of every invoice."""
SUBSCRIPTION_EVENTS = frozenset(
    [
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
    ]
)
CUSTOMER_EVENTS = frozenset([CUSTOMER_UPDATED])
"""Matter only if a detail changes that invoices need: an email address, or where the customer is."""
CREDIT_NOTE_EVENTS = frozenset(["credit_note.created", "credit_note.updated", "credit_note.voided"])
DISPUTE_CLOSED = "charge.dispute.closed"
DISPUTE_EVENTS = frozenset(
    [
        "charge.dispute.created",
        "charge.dispute.updated",
        DISPUTE_CLOSED,
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    ]
)
CHARGE_REFUNDED = "charge.refunded"
REFUND_EVENTS = frozenset(
    [CHARGE_REFUNDED, "charge.refund.updated", "refund.created", "refund.failed", "refund.updated"]
)
"""Before 2024-10-28.acacia the refund of a charge caused only the two events of the charge
(https://docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update)."""
ENABLED_EVENTS = sorted(
    frozenset([INVOICE_CREATED, INVOICE_UPDATED])
    | INVOICE_EVENTS
    | SUBSCRIPTION_EVENTS
    | CUSTOMER_EVENTS
    | CREDIT_NOTE_EVENTS
    | DISPUTE_EVENTS
    | REFUND_EVENTS
)
"""The events that the endpoint is registered for in Stripe."""
CAUGHT_UP_EVENTS = sorted(
    frozenset(ENABLED_EVENTS)
    - {
        "charge.dispute.funds_withdrawn",  # of this and the next only the status is stored, and it has its own events
        "charge.dispute.funds_reinstated",
        "customer.subscription.paused",  # a change of the status: never comes without `customer.subscription.updated`
        "customer.subscription.resumed",
        CUSTOMER_UPDATED,  # one type too many: the catch-up asks about the customers for which something waits
        "credit_note.updated",  # of what can change, a memo or metadata, nothing is stored
        "refund.created",  # never comes without `charge.refunded`
        "refund.failed",  # never comes without `refund.updated`
    }
)
"""The events that the catch-up reads. At most 20, because Stripe filters by no more types."""
