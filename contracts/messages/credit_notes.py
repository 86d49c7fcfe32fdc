"""Messages of credit notes, and of Stripe's side of them."""

from datetime import datetime

from pydantic import Field

from billing.invoice.credit_notes import CreditDestination, CreditNoteState
from contracts.messages.base import Message


class CreditNoteRef(Message):
    """Names a credit note of ours."""

    credit_note_key: str


class CreditNotePart(Message):
    """What is credited of one line: its id as our line metadata has it, and minor units before tax."""

    line_id: str
    amount: int


class CreditNoteOrder(Message):
    """Everything that creates one credit note in Stripe. `amount` in minor units, before tax."""

    credit_note_key: str
    invoice_key: str
    stripe_invoice_id: str
    amount: int
    currency: str
    parts: list[CreditNotePart] = Field(default_factory=list)
    """Of it by line; empty: it is of the invoice as a whole."""
    settle_to: CreditDestination
    memo: str
    generation: int
    not_before: datetime
    """No credit note can be older: when its invoice was finalized."""


class CreditNoteBrief(Message):
    """What a workflow knows of a credit note. `order` is what Stripe is asked for while it is not issued."""

    credit_note_key: str
    invoice_key: str
    attribution_id: str
    billing_period: str
    state: CreditNoteState
    blocked_reason: str | None
    stripe_credit_note_id: str | None
    order: CreditNoteOrder


class LoadedCreditNote(Message):
    """The credit note, or none when Postgres does not know the key."""

    credit_note: CreditNoteBrief | None


class CreditNoteMade(Message):
    """A credit note exists in Stripe."""

    credit_note_key: str
    stripe_credit_note_id: str
    issued_at: datetime


class BlockCreditNote(Message):
    """A permanent error: the credit note waits for an operator."""

    credit_note_key: str
    reason: str


class CreditNoteResult(Message):
    """The result of `CreditNoteWorkflow`; no state: Postgres does not know it."""

    credit_note_key: str
    state: CreditNoteState | None


class StripeInvoiceNotes(Message):
    """Names the Stripe invoice whose credit notes are to be brought in step."""

    stripe_invoice_id: str


class CreditedInvoice(Message):
    """The invoice that is meant; none when it is not ours."""

    invoice_key: str | None


class StripeCreditNoteSnapshot(Message):
    """A credit note as last fetched. `credit_note_key` from its metadata; `amount` in minor units, before tax."""

    stripe_credit_note_id: str
    credit_note_key: str | None
    amount: int
    settle_to: CreditDestination
    reason: str
    issued_at: datetime
    voided_at: datetime | None


class StripeInvoiceCreditNotes(Message):
    """All credit notes of a Stripe invoice: what is listed, and what is stored."""

    stripe_invoice_id: str
    credit_notes: list[StripeCreditNoteSnapshot]
