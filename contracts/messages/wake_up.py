"""The workflow that a Stripe event concerns."""

from __future__ import annotations

from contracts.messages.base import Message
from contracts.messages.invoices import StripeEvent


class WakeUp(Message):
    """A workflow to signal, and to start when it rests. Compact: a page of a hundred is kilobytes."""

    workflow: str
    workflow_id: str
    input: dict[str, str]
    """The workflow's message, as JSON: it only ever names the subject."""
    event: StripeEvent
    summary: str
    attribution_id: str | None = None
    billing_period: str | None = None
