"""What an invoice comes to: its amount, what was credited, and what Stripe charges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.refunds import RefundRecord


@dataclass(frozen=True)
class MoneyOfInvoice:
    """Amounts in minor units. `edited`: what an accepted edit in Stripe changes. `net`: with it, without credits, zero
    if the invoice is dead.

    `other`: what Stripe's total has besides these lines, the discounts and the tax. `total`, `discount` and `tax` are
    Stripe's, None until it has finalized the invoice. `refunded`: outside of credit notes.
    """

    amount: int
    edited: int
    credited: int
    net: int
    total: int | None
    discount: int | None
    tax: int | None
    other: int
    refunded: int


def money_of_invoice(
    record: InvoiceRecord, notes: Sequence[CreditNoteRecord], refunds: Sequence[RefundRecord]
) -> MoneyOfInvoice:
    """Return what the invoice comes to."""
    credited = sum(note.amount for note in notes if note.state is CreditNoteState.ISSUED)
    other = 0
    if record.stripe_total is not None:
        other = record.stripe_total + (record.stripe_discount or 0) - (record.stripe_tax or 0) - record.amount
        other -= record.edited
    return MoneyOfInvoice(
        amount=record.amount,
        edited=record.edited,
        credited=credited,
        net=0 if record.state in DEAD else record.amount + record.edited - credited,
        total=record.stripe_total,
        discount=record.stripe_discount,
        tax=record.stripe_tax,
        other=other,
        refunded=sum(refund.amount for refund in refunds if refund.is_outside),
    )
