"""Credit notes in Postgres."""

from __future__ import annotations

from temporalio import activity

from activities.step import step
from billing.invoice.record import InvoiceRecord
from contracts.messages.credit_notes import (
    BlockCreditNote,
    CreditedInvoice,
    CreditNoteBrief,
    CreditNoteMade,
    CreditNoteOrder,
    CreditNotePart,
    CreditNoteRef,
    LoadedCreditNote,
    StripeInvoiceCreditNotes,
    StripeInvoiceNotes,
)
from contracts.names import Activities
from storage.invoices import credit_notes as store
from storage.invoices import credit_states, invoices
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.stripe_credit_notes import StripeCreditNote, bring_in_step, invoice_of_stripe
from storage.postgres.database import Database


class CreditNoteActivities:
    """Loads, records and blocks credit notes, and stores an invoice's as Stripe has them. Idempotent."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.LOAD_CREDIT_NOTE)
    async def load(self, ref: CreditNoteRef) -> LoadedCreditNote:
        """Return the credit note as Postgres has it."""
        async with step():
            return await self._loaded(ref.credit_note_key)

    @activity.defn(name=Activities.RECORD_CREDIT_NOTE)
    async def record(self, made: CreditNoteMade) -> LoadedCreditNote:
        """Record that Stripe has the credit note."""
        async with step():
            await credit_states.record_issued(
                self._db, made.credit_note_key, made.stripe_credit_note_id, made.issued_at, made.total
            )
            return await self._loaded(made.credit_note_key)

    @activity.defn(name=Activities.BLOCK_CREDIT_NOTE)
    async def block(self, block: BlockCreditNote) -> LoadedCreditNote:
        """Block the credit note: it waits for an operator, unless Stripe has it."""
        async with step():
            await credit_states.block_credit_note(self._db, block.credit_note_key, block.reason)
            return await self._loaded(block.credit_note_key)

    @activity.defn(name=Activities.RESUME_CREDIT_NOTE)
    async def resume(self, ref: CreditNoteRef) -> LoadedCreditNote:
        """Resume a blocked credit note."""
        async with step():
            await credit_states.resume_credit_note(self._db, ref.credit_note_key)
            return await self._loaded(ref.credit_note_key)

    @activity.defn(name=Activities.WITHDRAW_CREDIT_NOTE)
    async def withdraw(self, ref: CreditNoteRef) -> LoadedCreditNote:
        """Withdraw a blocked credit note."""
        async with step():
            await credit_states.withdraw_credit_note(self._db, ref.credit_note_key)
            return await self._loaded(ref.credit_note_key)

    @activity.defn(name=Activities.FIND_CREDITED_INVOICE)
    async def find_invoice(self, notes: StripeInvoiceNotes) -> CreditedInvoice:
        """Return the key of the credited invoice, or None if the invoice is not ours."""
        async with step():
            return CreditedInvoice(invoice_key=await invoice_of_stripe(self._db, notes.stripe_invoice_id))

    @activity.defn(name=Activities.STORE_CREDIT_NOTES)
    async def store(self, listed: StripeInvoiceCreditNotes) -> CreditedInvoice:
        """Record new credit notes and mark voided ones; ignore those of a foreign invoice."""
        notes = [
            StripeCreditNote(
                stripe_credit_note_id=note.stripe_credit_note_id,
                key=note.credit_note_key,
                amount=note.amount,
                total=note.total,
                settle_to=note.settle_to,
                reason=note.reason,
                issued_at=note.issued_at,
                voided_at=note.voided_at,
                stripe_refund_ids=tuple(note.stripe_refund_ids),
            )
            for note in listed.credit_notes
        ]
        async with step():
            key = await bring_in_step(self._db, listed.stripe_invoice_id, notes)
            return CreditedInvoice(invoice_key=key)

    async def _loaded(self, key: str) -> LoadedCreditNote:
        note = await store.load_credit_note(self._db, key)
        if note is None:
            return LoadedCreditNote(credit_note=None)
        invoice = await invoices.load_invoice(self._db, note.invoice_key)
        assert invoice is not None  # guaranteed by a foreign key
        waits_for = await credit_states.requested_before(self._db, key)
        return LoadedCreditNote(credit_note=_brief(note, invoice, waits_for))


def _brief(note: CreditNoteRecord, invoice: InvoiceRecord, waits_for: str | None) -> CreditNoteBrief:
    assert invoice.stripe_invoice_id is not None  # only a finalized invoice has credit notes
    return CreditNoteBrief(
        credit_note_key=note.key,
        invoice_key=note.invoice_key,
        attribution_id=invoice.attribution_id,
        billing_period=invoice.billing_period,
        state=note.state,
        blocked_reason=note.blocked_reason,
        stripe_credit_note_id=note.stripe_credit_note_id,
        waits_for=waits_for,
        order=CreditNoteOrder(
            credit_note_key=note.key,
            invoice_key=note.invoice_key,
            stripe_invoice_id=invoice.stripe_invoice_id,
            amount=note.amount,
            currency=note.currency,
            parts=[
                CreditNotePart(line_id=f"{note.invoice_key}#{line_no}", amount=amount)
                for line_no, amount in sorted(note.parts.items())
            ],
            settle_to=note.settle_to,
            memo=note.reason,
            generation=note.generation,
            not_before=min(invoice.finalized_at or note.requested_at, note.requested_at),
        ),
    )
