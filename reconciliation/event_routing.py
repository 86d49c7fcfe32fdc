"""Decide which workflow a Stripe event wakes. Pure: the event is data whose signature was verified before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from billing.invoice.key import InvoiceKey
from billing.invoice.states import DEAD, InvoiceState
from contracts import stripe_metadata, workflow_ids
from contracts.messages.events import WakeUp
from contracts.messages.invoices import StripeEvent
from contracts.names import Workflows
from reconciliation.event_types import (
    CHARGE_REFUNDED,
    CREDIT_NOTE_EVENTS,
    CUSTOMER_EVENTS,
    DISPUTE_EVENTS,
    INVOICE_CREATED,
    INVOICE_EVENTS,
    INVOICE_UPDATED,
    REFUND_EVENTS,
    SUBSCRIPTION_EVENTS,
)

_BILLED = frozenset({InvoiceState.BILLED, InvoiceState.UNCOLLECTIBLE, InvoiceState.PAID}) | DEAD
_SATISFIED_IN = {
    "invoice.finalized": _BILLED,
    "invoice.finalization_failed": _BILLED,
    "invoice.marked_uncollectible": frozenset({InvoiceState.UNCOLLECTIBLE, InvoiceState.PAID}) | DEAD,
    "invoice.payment_failed": frozenset({InvoiceState.PAID}) | DEAD,
    "invoice.paid": frozenset({InvoiceState.PAID}) | DEAD,
    "invoice.payment_succeeded": frozenset({InvoiceState.PAID}) | DEAD,  # of an older webhook
    "invoice.voided": DEAD,
    "invoice.deleted": DEAD,
    INVOICE_UPDATED: frozenset({InvoiceState.UNCOLLECTIBLE, InvoiceState.PAID}) | DEAD,
}
"""By event type, the states in which an invoice has nothing to learn from the event.

Workflows decide by it, so a row that changes needs `workflow.patched`.
"""


def is_satisfied(types: Iterable[str], state: InvoiceState | None) -> bool:
    """Return whether an invoice in this state has nothing to learn from events of these types.

    It always learns from a type that `_SATISFIED_IN` does not list.
    """
    return state is not None and all(state in _SATISFIED_IN.get(each, frozenset()) for each in types)


_PROOFS = frozenset(
    {"invoice.finalized", "invoice.paid", "invoice.marked_uncollectible", "invoice.voided", "invoice.deleted"}
)


def is_missed(types: Iterable[str], state: InvoiceState | None) -> bool:
    """Return whether an event shows what Postgres would already have, had the webhook delivered it.

    A blocked invoice may have received it and not got further.
    """
    if state is None or state is InvoiceState.BLOCKED:
        return False
    return any(each in _PROOFS and state not in _SATISFIED_IN[each] for each in types)


# Stripe's ids consist of letters, digits and underscores; nothing else must reach workflow ids and logs.
_STRIPE_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ONE_OFF_REASONS = frozenset({"manual", "quote_accept"})
"""The values of `billing_reason` for invoices that no subscription makes."""

_NEEDED = frozenset({"email", "address", "shipping"})
"""The fields of a customer by which it can have what Stripe needs for an invoice
(https://docs.stripe.com/tax/customer-locations)."""

_THIN = "v2."  # the prefix of Stripe's thin events, which have no snapshot and are not supported


class MalformedEventError(Exception):
    """The body is signed correctly but is not an event."""


class Unhandled(StrEnum):
    """Why an event wakes no workflow; the webhook counts it under this name."""

    FOREIGN = "foreign"
    """Its type is handled, but its subject does not say that it is ours."""
    IGNORED = "ignored"
    """Its type is not handled, or it has no usable id."""


def parse(body: bytes) -> Any:
    """Parse a verified body as JSON.

    Raises:
        MalformedEventError: the body is not JSON, or no event of Stripe's: NaN, absurd numbers or nesting.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedEventError(f"not JSON: {type(error).__name__} {str(error)[:80]}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def wake_up(payload: Any) -> WakeUp | Unhandled:
    """Return the workflow that this event wakes, or why it wakes none.

    Raises:
        MalformedEventError: the payload is not an event object.
    """
    if isinstance(payload, dict) and isinstance(kind := payload.get("object"), str) and kind.startswith(_THIN):
        return Unhandled.IGNORED
    event, subject = _event(payload)
    if event.type == INVOICE_UPDATED and not _concerns_us(subject, payload["data"].get("previous_attributes")):
        return Unhandled.IGNORED
    if event.type in (INVOICE_CREATED, INVOICE_UPDATED) or event.type in INVOICE_EVENTS:
        return _invoice(event, subject)
    if event.type in SUBSCRIPTION_EVENTS:
        return _subscription(event, subject)
    if event.type in CUSTOMER_EVENTS:
        return _customer(event, subject, payload["data"].get("previous_attributes"))
    if event.type in CREDIT_NOTE_EVENTS:
        return _credit_note(event, subject)
    if event.type in DISPUTE_EVENTS:
        return _dispute(event, subject)
    if event.type in REFUND_EVENTS:
        return _refunds(event, subject)
    return Unhandled.IGNORED


def _event(payload: Any) -> tuple[StripeEvent, dict[str, Any]]:
    try:
        if payload["object"] != "event":
            raise MalformedEventError("its object is not 'event'")
        subject = payload["data"]["object"]
        event_id, kind, created = payload["id"], payload["type"], payload["created"]
        texts = _matches(_STRIPE_ID, event_id) and isinstance(kind, str)
        if not (texts and type(created) is int and isinstance(subject, dict)):
            raise MalformedEventError("id, type, created or data.object has the wrong type")
        return StripeEvent(event_id=event_id, type=kind, created=datetime.fromtimestamp(created, UTC)), subject
    except (KeyError, TypeError, OverflowError, ValueError, OSError) as error:
        raise MalformedEventError(f"not an event: {type(error).__name__} {str(error)[:80]}") from error


def _invoice(event: StripeEvent, invoice: dict[str, Any]) -> WakeUp | Unhandled:
    metadata = invoice.get("metadata")
    key = InvoiceKey.in_metadata(metadata.get(stripe_metadata.INVOICE) if isinstance(metadata, dict) else None)
    if key is None:
        return _unlinked(event, invoice)
    if event.type == INVOICE_CREATED:
        return Unhandled.IGNORED  # Perdure made it
    return WakeUp(
        workflow=Workflows.INVOICE,
        workflow_id=workflow_ids.invoice(str(key)),
        input={"invoice_key": str(key)},
        event=event,
        summary=f"Invoice of {key.attribution_id} for {key.period}, woken by {event.type}",
        attribution_id=key.attribution_id,
        billing_period=key.period,
    )


def _unlinked(event: StripeEvent, invoice: dict[str, Any]) -> WakeUp | Unhandled:
    """Route an invoice without our metadata.

    A subscription's new draft, or an invoice of which the event says too little, wakes a workflow that fetches it.
    """
    if event.type == INVOICE_CREATED and _is_one_off(invoice):
        return Unhandled.IGNORED
    if event.type != INVOICE_CREATED and "metadata" in invoice:
        return Unhandled.FOREIGN
    invoice_id = invoice.get("id")
    if not isinstance(invoice_id, str) or not _matches(_STRIPE_ID, invoice_id):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.STRIPE_INVOICE,
        workflow_id=workflow_ids.stripe_invoice(invoice_id),
        input={"stripe_invoice_id": invoice_id},
        event=event,
        summary=f"Owner of {invoice_id}, woken by {event.type}",
    )


def _is_one_off(invoice: dict[str, Any]) -> bool:
    """Whether the event proves that no subscription made the invoice; False if it does not say.

    Stripe renders an event in the API version of its endpoint or account, which can be years old: an invoice names its
    subscription in `parent` since 2025-03-31.basil, before that in `subscription`.
    https://docs.stripe.com/changelog/basil/2025-03-31/adds-new-parent-field-to-invoicing-objects
    """
    parent = invoice.get("parent")
    of_subscription = isinstance(parent, dict) and parent.get("type") == "subscription_details"
    if of_subscription or invoice.get("subscription"):
        return False
    return invoice.get("billing_reason") in _ONE_OFF_REASONS


def _concerns_us(invoice: dict[str, Any], previous: Any) -> bool:
    """Whether a change concerns us: a draft was changed so that Stripe finalizes it by itself, or collection stopped.

    The collection of an open invoice can also be resumed. True as well if the event does not say enough of a draft.
    """
    if invoice.get("status") == "open":
        return isinstance(previous, dict) and "auto_advance" in previous and "status" not in previous
    if invoice.get("status", "draft") != "draft" or not invoice.get("auto_advance", True):
        return False
    return not isinstance(previous, dict) or "auto_advance" in previous


def _subscription(event: StripeEvent, subscription: dict[str, Any]) -> WakeUp | Unhandled:
    subscription_id = subscription.get("id")
    if not isinstance(subscription_id, str) or not _matches(_STRIPE_ID, subscription_id):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.SUBSCRIPTION,
        workflow_id=workflow_ids.subscription(subscription_id),
        input={"stripe_subscription_id": subscription_id},
        event=event.model_copy(update={"shows_pause": bool(subscription.get("pause_collection"))}),
        summary=f"Subscription {subscription_id}",
    )


def _customer(event: StripeEvent, customer: dict[str, Any], previous: Any) -> WakeUp | Unhandled:
    """Route a change of a customer, if it can be a change of what invoices need."""
    customer_id = customer.get("id")
    if not isinstance(customer_id, str) or not _matches(_STRIPE_ID, customer_id):
        return Unhandled.IGNORED
    if isinstance(previous, dict) and _NEEDED.isdisjoint(previous):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.CUSTOMER_SYNC,
        workflow_id=workflow_ids.stripe_customer(customer_id),
        input={"stripe_customer_id": customer_id},
        event=event,
        summary=f"Customer {customer_id}, woken by {event.type}",
    )


def _credit_note(event: StripeEvent, note: dict[str, Any]) -> WakeUp | Unhandled:
    # A person's credit note has no metadata of ours, so only Postgres knows whether the invoice is ours.
    invoice_id = note.get("invoice")
    if not isinstance(invoice_id, str) or not _matches(_STRIPE_ID, invoice_id):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.CREDIT_NOTES_SYNC,
        workflow_id=workflow_ids.credit_notes_sync(invoice_id),
        input={"stripe_invoice_id": invoice_id},
        event=event,
        summary=f"Credit notes of {invoice_id}, woken by {event.type}",
    )


def _dispute(event: StripeEvent, dispute: dict[str, Any]) -> WakeUp | Unhandled:
    """Route a dispute. It names only a charge, so the workflow finds out whether that paid an invoice of ours."""
    dispute_id = dispute.get("id")
    if not isinstance(dispute_id, str) or not _matches(_STRIPE_ID, dispute_id):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.DISPUTE,
        workflow_id=workflow_ids.dispute(dispute_id),
        input={"stripe_dispute_id": dispute_id},
        event=event,
        summary=f"Dispute {dispute_id}",
    )


def _refunds(event: StripeEvent, subject: dict[str, Any]) -> WakeUp | Unhandled:
    """Route a refund by its charge. Only Stripe knows whether that paid an invoice of ours."""
    charge, refund = subject.get("charge"), subject.get("id")
    if event.type == CHARGE_REFUNDED:
        charge, refund = refund, None
    named = charge if charge is not None else refund
    if not isinstance(named, str) or not _matches(_STRIPE_ID, named):
        return Unhandled.IGNORED
    return WakeUp(
        workflow=Workflows.REFUNDS_SYNC,
        workflow_id=workflow_ids.refunds(named),
        input={"stripe_charge_id" if charge is not None else "stripe_refund_id": named},
        event=event,
        summary=f"Refunds of {named}, woken by {event.type}",
    )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
