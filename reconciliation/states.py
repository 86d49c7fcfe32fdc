"""The states that an invoice passes through to match Stripe's status."""

from __future__ import annotations

from datetime import datetime

from billing.invoice.policy import WAITS_FOR_STRIPE
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from contracts.messages.holds import Hold
from contracts.messages.invoices import StripeInvoiceSnapshot

_S = InvoiceState
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
