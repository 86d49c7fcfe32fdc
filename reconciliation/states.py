"""The states that an invoice passes through to match Stripe's status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.invoice.policy import WAITS_FOR_STRIPE
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from contracts.messages.holds import Hold
from contracts.messages.invoices import StripeInvoiceSnapshot
from reconciliation.event_routing import is_satisfied
from reconciliation.event_types import INVOICE_FINALIZED, INVOICE_PAID, PAYMENT_FAILED

_S = InvoiceState
_REACHED = {"open": _S.BILLED, "paid": _S.PAID}
_UNBILLED = frozenset({_S.CLAIMED, _S.DRAFT, _S.FINALIZED})

StatePath = list[tuple[InvoiceState, datetime]]
"""States in the order in which the invoice reaches them, each with its instant."""


def states_to_reach(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot, now: datetime) -> StatePath:
    """Return the states that the invoice must still pass through to match Stripe's status.

    `now` is the instant of a state for which Stripe gives none. The path is empty if the invoice matches already, or
    if the snapshot is older than the state in Postgres. A blocked invoice follows Stripe only if the invoice is gone
    there; otherwise it waits for the operator, or until `is_released`.
    """
    path = _path(snapshot, now)
    if record.state in DEAD or record.state is _S.PAID:
        return []
    if record.state is _S.BLOCKED:
        return [(state, at) for state, at in path if state in DEAD]
    if record.state in _UNBILLED:
        return path
    reached = {_S.FINALIZED, _S.BILLED, record.state}
    return [(state, at) for state, at in path if state not in reached]


def awaited(snapshot: StripeInvoiceSnapshot) -> frozenset[str]:
    """Return the types of the events that Stripe sends of what its answer to a finalization holds."""
    paid = snapshot.status == "paid"
    last = INVOICE_PAID if paid else PAYMENT_FAILED if snapshot.attempt_count > 0 else INVOICE_FINALIZED
    return frozenset({INVOICE_FINALIZED, last})


def covers(snapshot: StripeInvoiceSnapshot, events: Sequence[str]) -> bool:
    """Return whether Stripe's invoice holds all that its events since its creation report, by their types.

    Each failed payment is an attempt, so that as many events of it as attempts report nothing new.
    """
    others = [each for each in events if each != PAYMENT_FAILED]
    failed = len(events) - len(others)
    return failed <= snapshot.attempt_count and is_satisfied(others, _REACHED.get(snapshot.status))


def is_released(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> bool:
    """Return whether the invoice waited for Stripe, and no longer does: it was released, finalized or removed there."""
    return _waits_for_stripe(record) and snapshot.hold is None


def changed_hold(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> Hold | None:
    """Return what the invoice waits for in Stripe now, if it waited for something else: its pause became for good."""
    hold = snapshot.hold if _waits_for_stripe(record) else None
    known = (record.blocked_kind, record.blocked_reason)
    return None if hold is None or (hold.held_as, hold.reason) == known else hold


def _waits_for_stripe(record: InvoiceRecord) -> bool:
    return record.state is _S.BLOCKED and record.blocked_kind in WAITS_FOR_STRIPE


def _path(snapshot: StripeInvoiceSnapshot, now: datetime) -> StatePath:
    """Return the path from a draft to Stripe's status."""
    match snapshot.status:
        case "deleted":
            return [(_S.DELETED, now)]
        case "void":
            return [(_S.VOIDED, snapshot.voided_at or now)]
        case "open" | "paid" | "uncollectible":
            path = [(_S.FINALIZED, snapshot.finalized_at or now), (_S.BILLED, now)]
            if snapshot.status == "paid":
                path.append((_S.PAID, snapshot.paid_at or now))
            elif snapshot.status == "uncollectible":
                path.append((_S.UNCOLLECTIBLE, snapshot.marked_uncollectible_at or now))
            return path
        case _:
            return []
