"""Messages of credit notes, ours and Stripe's."""

from datetime import datetime

from pydantic import Field

from billing.invoice.credit_notes import CreditDestination, CreditNoteState
from contracts.messages.base import Message


class CreditNoteRef(Message):
    """Names one of our credit notes."""

    credit_note_key: str


class CreditNotePart(Message):
    """The credit on one line: the line's id in our metadata, and the amount in minor units, before tax."""

    line_id: str
    amount: int


class CreditNoteOrder(Message):
    """Everything needed to create a credit note in Stripe. `amount` is in minor units, before tax."""

    credit_note_key: str
    invoice_key: str
    stripe_invoice_id: str
    amount: int
    currency: str
    parts: list[CreditNotePart] = Field(default_factory=list)
    """The amount by line; empty if the invoice as a whole is credited."""
    settle_to: CreditDestination
    memo: str
    generation: int
    not_before: datetime
    """When the invoice was finalized: no credit note of it can be older."""


class CreditNoteBrief(Message):
    """The part of a credit note that its workflow needs. `order` is the request to Stripe while it is not issued."""

    credit_note_key: str
    invoice_key: str
    attribution_id: str
    billing_period: str
    state: CreditNoteState
    blocked_reason: str | None
    stripe_credit_note_id: str | None
    order: CreditNoteOrder
    waits_for: str | None = None
    """The key of an earlier credit note that Stripe must have first: this one takes what is left then."""


class LoadedCreditNote(Message):
    """The loaded credit note; None if Postgres does not know the key."""

    credit_note: CreditNoteBrief | None


class CreditNoteMade(Message):
    """The result of creating a credit note in Stripe."""

    credit_note_key: str
    stripe_credit_note_id: str
    issued_at: datetime
    total: int | None = None
    """In minor units, less discounts and with tax, as Stripe says."""


class BlockCreditNote(Message):
    """Asks to block a credit note after a permanent error, so that it waits for an operator."""

    credit_note_key: str
    reason: str


class CreditNoteResult(Message):
    """The result of `CreditNoteWorkflow`; `state` is None if Postgres does not know the credit note."""

    credit_note_key: str
    state: CreditNoteState | None


class StripeInvoiceNotes(Message):
    """Names the Stripe invoice whose credit notes are to be synchronized."""

    stripe_invoice_id: str


class CreditedInvoice(Message):
    """The key of the credited invoice; None if it is not ours."""

    invoice_key: str | None


class StripeCreditNoteSnapshot(Message):
    """A credit note as last fetched. `credit_note_key` is from its metadata; `amount` is in minor units, before tax."""

    stripe_credit_note_id: str
    credit_note_key: str | None
    amount: int
    settle_to: CreditDestination
    reason: str
    issued_at: datetime
    voided_at: datetime | None
    stripe_refund_ids: list[str] = Field(default_factory=list)
    """The refunds that belong to it."""
    total: int | None = None
    """In minor units, less discounts and with tax."""


class StripeInvoiceCreditNotes(Message):
    """All credit notes of a Stripe invoice, as listed and to be stored."""

    stripe_invoice_id: str
    credit_notes: list[StripeCreditNoteSnapshot]
