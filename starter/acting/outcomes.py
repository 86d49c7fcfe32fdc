"""The result of a decision on an invoice: whether it has had its effect, and where the invoice stands then."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, OPEN, InvoiceState
from starter.words.times import when


def is_over(before: InvoiceRecord, now: InvoiceRecord, *, voids: bool = False) -> bool:
    """Return whether a decision has had its effect: the invoice is settled, or waits for a person (again).

    `voids`: a void was requested, which ends otherwise: with the invoice dead, or with the request withdrawn.
    """
    if voids:
        return now.state in DEAD or now.void_reason is None
    if now.state is InvoiceState.BLOCKED:
        return now.blocked_since != before.blocked_since
    return now.state not in OPEN or _waits_as_planned(now)


def _waits_as_planned(now: InvoiceRecord) -> bool:
    if now.state is not InvoiceState.DRAFT:
        return False
    later = now.finalize_at is not None and now.finalize_at > datetime.now(UTC) and now.approved_at is None
    return now.awaits_approval or later


def standing(now: InvoiceRecord, *, voids: bool = False) -> str:
    """Return the state that a decision has led to, as the end of a sentence."""
    if now.state in DEAD:
        usage = "written off and never billed again" if now.written_off else "billable again"
        return f"{now.state}; its usage is {usage}"
    if voids:
        return f"{now.state}; it could not be voided"
    if now.awaits_approval:
        return f"{now.state}; it waits for approval"
    if now.state is InvoiceState.DRAFT:
        return f"{now.state}, finalized by {when(now.finalize_at)}"
    return str(now.state)
