"""The figures of an invoice: its subtotal and its lines, ours and Stripe's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceRecord
from contracts.messages.invoices import StripeInvoiceSnapshot
from reconciliation.stripe_lines import expected_lines


@dataclass(frozen=True)
class Figures:
    """A `subtotal` in minor units, before tax, and the `lines_digest` of the lines that it totals."""

    subtotal: int
    digest: str


def lines_digest(lines: Iterable[tuple[str, int]]) -> str:
    """Return the digest of a multiset of (line id, amount in minor units), regardless of order."""
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()


def expected_figures(record: InvoiceRecord) -> Figures:
    """Return the figures that Stripe should have: our lines', or those that a person accepted in their place."""
    if (accepted := accepted_figures(record)) is not None:
        return accepted
    return Figures(record.amount, lines_digest(expected_lines(record)))


def accepted_figures(record: InvoiceRecord) -> Figures | None:
    """Return the figures that a person accepted in place of our lines; None if nobody did."""
    if record.accepted_subtotal is None or record.accepted_digest is None:
        return None
    return Figures(record.accepted_subtotal, record.accepted_digest)


def stripe_figures(
    invoice_key: str, charge_on: ChargeOn, snapshot: StripeInvoiceSnapshot
) -> tuple[int, list[tuple[str, int]]]:
    """Return the comparable part of a Stripe invoice: subtotal in minor units, and sorted (line id, amount).

    On an invoice of our own that is everything; on a subscription's invoice it is only our lines.
    """
    lines = sorted((line.line_id, line.amount) for line in snapshot.lines)
    if charge_on is ChargeOn.OWN:
        return snapshot.subtotal, lines
    ours = [(line_id, amount) for line_id, amount in lines if line_id.startswith(f"{invoice_key}#")]
    return sum(amount for _, amount in ours), ours
