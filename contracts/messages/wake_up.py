"""The workflow that a Stripe event concerns."""

from __future__ import annotations

from contracts.messages.base import Message
from contracts.messages.invoices import StripeEvent


class WakeUp(Message):
    """A workflow to signal, or to start if it rests. Compact: a page of a hundred is a few kilobytes."""

    workflow: str
    workflow_id: str
    input: dict[str, str]
    """The workflow's input as JSON, which only names the subject."""
    event: StripeEvent
    summary: str
    attribution_id: str | None = None
    billing_period: str | None = None
