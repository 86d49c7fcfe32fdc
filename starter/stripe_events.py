"""Which workflow a Stripe event wakes. Pure: the event is data, already verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.attribution import is_attribution_id
from billing.errors import InputError
from billing.periods import BillingPeriod
from contracts import stripe_metadata, workflow_ids
from contracts.invoices import InvoiceRef, StripeEvent
from contracts.message import Message
from contracts.names import Workflows
from contracts.subscriptions import SubscriptionRef

INVOICE_EVENTS = frozenset(
    [
        "invoice.finalized",
        "invoice.finalization_failed",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.marked_uncollectible",
        "invoice.voided",
        "invoice.deleted",
    ]
)
SUBSCRIPTION_EVENTS = frozenset(
    [
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
    ]
)
ENABLED_EVENTS = sorted(INVOICE_EVENTS | SUBSCRIPTION_EVENTS)
"""What the endpoint is registered for in Stripe."""

_LONGEST_ID = 255


class MalformedEventError(Exception):
    """Signed, but not an event."""


@dataclass(frozen=True)
class WakeUp:
    """A workflow to signal, and to start when it rests."""

    workflow: str
    workflow_id: str
    input: Message
    event: StripeEvent
    summary: str
    attribution_id: str | None = None
    billing_period: str | None = None


def wake_up(payload: Any) -> WakeUp | None:
    """The workflow that this event is for; none when the event is not ours or of a type that is not known.

    Raises:
        MalformedEventError: the payload is not an event object.
    """
    event, subject = _event(payload)
    if event.type in INVOICE_EVENTS:
        return _invoice(event, subject)
    if event.type in SUBSCRIPTION_EVENTS:
        return _subscription(event, subject)
    return None


def _event(payload: Any) -> tuple[StripeEvent, dict[str, Any]]:
    try:
        if payload["object"] != "event":
            raise MalformedEventError(f"object is {str(payload['object'])[:40]!r}, not 'event'")
        subject = payload["data"]["object"]
        event_id, kind, created = payload["id"], payload["type"], payload["created"]
        texts = isinstance(event_id, str) and isinstance(kind, str) and 0 < len(event_id) <= _LONGEST_ID
        if not (texts and type(created) is int and isinstance(subject, dict)):
            raise MalformedEventError("id, type, created or data.object is of a wrong type")
        return StripeEvent(event_id=event_id, type=kind, created=datetime.fromtimestamp(created, UTC)), subject
    except (KeyError, TypeError, OverflowError, ValueError, OSError) as error:
        raise MalformedEventError(f"not an event: {type(error).__name__} {str(error)[:80]}") from error


def _invoice(event: StripeEvent, invoice: dict[str, Any]) -> WakeUp | None:
    metadata = invoice.get("metadata")
    key = metadata.get(stripe_metadata.INVOICE) if isinstance(metadata, dict) else None
    if not isinstance(key, str) or not _is_key(key):
        return None
    period, attribution_id, *_ = key.split("/")
    return WakeUp(
        workflow=Workflows.INVOICE,
        workflow_id=workflow_ids.invoice(key),
        input=InvoiceRef(invoice_key=key),
        event=event,
        summary=f"Invoice of {attribution_id} for {period}, woken by {event.type}",
        attribution_id=attribution_id,
        billing_period=period,
    )


def _subscription(event: StripeEvent, subscription: dict[str, Any]) -> WakeUp | None:
    subscription_id = subscription.get("id")
    if not isinstance(subscription_id, str) or not 0 < len(subscription_id) <= _LONGEST_ID:
        return None
    return WakeUp(
        workflow=Workflows.SUBSCRIPTION,
        workflow_id=workflow_ids.subscription(subscription_id),
        input=SubscriptionRef(stripe_subscription_id=subscription_id),
        event=event,
        summary=f"Subscription {subscription_id}",
    )


def _is_key(key: str) -> bool:
    parts = key.split("/")
    if len(parts) < 3 or len(key) > _LONGEST_ID or not is_attribution_id(parts[1]):
        return False
    try:
        BillingPeriod.parse(parts[0])
    except InputError:
        return False
    return True
