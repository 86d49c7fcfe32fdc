"""What an invoice comes to: its subtotal and its lines, ours and Stripe's."""

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
    """`subtotal` in minor units, before tax; `digest` of the lines that come to it, see `lines_digest`."""

    subtotal: int
    digest: str


def lines_digest(lines: Iterable[tuple[str, int]]) -> str:
    """Of a multiset of (line id, amount in minor units), whatever their order."""
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()


def expected_figures(record: InvoiceRecord) -> Figures:
    """What Stripe is to have: our lines, or the figures that a person accepted in place of them."""
    if (accepted := accepted_figures(record)) is not None:
        return accepted
    return Figures(record.amount, lines_digest(expected_lines(record)))


def accepted_figures(record: InvoiceRecord) -> Figures | None:
    """What a person accepted in place of our lines; None if nobody did."""
    if record.accepted_subtotal is None or record.accepted_digest is None:
        return None
    return Figures(record.accepted_subtotal, record.accepted_digest)


def stripe_figures(
    invoice_key: str, charge_on: ChargeOn, snapshot: StripeInvoiceSnapshot
) -> tuple[int, list[tuple[str, int]]]:
    """What of a Stripe invoice is ours to compare: subtotal in minor units, and (line id, amount), sorted.

    Of an invoice of our own that is all of it; of a subscription's, our lines alone.
    """
    lines = sorted((line.line_id, line.amount) for line in snapshot.lines)
    if charge_on is ChargeOn.OWN:
        return snapshot.subtotal, lines
    ours = [(line_id, amount) for line_id, amount in lines if line_id.startswith(f"{invoice_key}#")]
    return sum(amount for _, amount in ours), ours
