"""The identity of an invoice: its key and why it was made."""

from __future__ import annotations

from enum import StrEnum


class InvoiceReason(StrEnum):
    """Why an invoice was made."""

    PERIOD = "period"
    CANCELLATION = "cancellation"
    SUBSCRIPTION = "subscription"
    """On the draft that Stripe made for the subscription's cycle; the subject is that Stripe invoice's id."""


def invoice_key(period: str, attribution_id: str, reason: InvoiceReason, subject: str = "", *, ordinal: int = 1) -> str:
    """The deterministic identity of an invoice, readable and safe in paths, workflow ids and shells.

    `subject` says which one when an account can have several of a reason in a period (the cancelled Stripe
    subscription's id). `ordinal` counts up when the invoice before it was voided or deleted.
    """
    parts = [period, attribution_id, str(reason)]
    if subject:
        parts.append(subject)
    if ordinal > 1:
        parts.append(str(ordinal))
    return "/".join(parts)


def key_subject(key: str) -> tuple[str, int]:
    """(subject, ordinal) of an invoice key; the subject of a period's invoice is empty."""
    _, _, reason, *rest = key.split("/")
    subject = "" if reason == InvoiceReason.PERIOD else rest.pop(0)
    return subject, int(rest[0]) if rest else 1
