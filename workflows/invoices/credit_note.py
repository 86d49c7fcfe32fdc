"""One credit note from the wish to Stripe, and an invoice's credit notes from Stripe to Postgres."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.invoice.credit_notes import CreditNoteState
    from billing.invoice.key import CreditNoteKey, InvoiceKey
    from billing.money import format_amount
    from contracts import search_attributes
    from contracts.messages.credit_notes import (
        BlockCreditNote,
        CreditedInvoice,
        CreditNoteBrief,
        CreditNoteMade,
        CreditNoteRef,
        CreditNoteResult,
        LoadedCreditNote,
        StripeInvoiceCreditNotes,
        StripeInvoiceNotes,
    )
    from contracts.messages.invoices import StripeEvent
    from contracts.names import Activities, Signals, Workflows
    from workflows.steps import (
        STEP_FAILED,
        clock,
        continue_as_new_if_suggested,
        local_step,
        nothing_was_heard,
        permanent_reason,
        show,
        stripe_step,
    )


@dataclass(frozen=True)
class CreditNoteInbox:
    """What people want of a blocked credit note."""

    retry: bool = False
    withdraw: bool = False


@workflow.defn(name=Workflows.CREDIT_NOTE)
class CreditNoteWorkflow:
    """Makes one credit note in Stripe, exactly once; what Stripe refuses waits for an operator.

    It begins by loading what is known, so that it may be started at any time; when nothing is left to do it rests.
    """

    @workflow.init
    def __init__(self, ref: CreditNoteRef) -> None:
        self._ref = ref
        self._inbox = CreditNoteInbox()

    @workflow.signal(name=Signals.RETRY, description="Go on with a blocked credit note, after its cause was mended.")
    def retry(self) -> None:
        """Try again what Stripe refused."""
        self._inbox = replace(self._inbox, retry=True)

    @workflow.signal(name=Signals.WITHDRAW, description="Give a blocked credit note up, unless Stripe has it.")
    def withdraw(self) -> None:
        """Give up what Stripe refused: what it would have credited is free again."""
        self._inbox = replace(self._inbox, withdraw=True)

    @workflow.run
    async def run(self, ref: CreditNoteRef) -> CreditNoteResult:
        """Go on until Stripe has it; returns the state in which it rests."""
        while True:
            note = await self._advance()
            if note is not None and note.state is CreditNoteState.BLOCKED:
                await self._await_operator(note)
                continue
            if await nothing_was_heard(self._woken):
                return self._rest(note)

    def _woken(self) -> bool:
        return self._inbox.retry or self._inbox.withdraw

    async def _advance(self) -> CreditNoteBrief | None:
        note = await self._load(Activities.LOAD_CREDIT_NOTE)
        heard, self._inbox = self._inbox, CreditNoteInbox()
        if note is None:
            return None
        if note.state is CreditNoteState.BLOCKED and heard.withdraw:
            # Stripe has the last word on whether there is none.
            await bring_credit_notes_in_step(note.order.stripe_invoice_id)
            return await self._load(Activities.WITHDRAW_CREDIT_NOTE)
        if note.state is CreditNoteState.BLOCKED and heard.retry:
            note = await self._load(Activities.RESUME_CREDIT_NOTE)
            assert note is not None
        if note.state is not CreditNoteState.REQUESTED:
            return note
        what = f"{format_amount(note.order.amount, note.order.currency)} of {note.order.stripe_invoice_id}"
        show(f"Crediting {what} in Stripe, since {clock()}.")
        try:
            made = await stripe_step(Activities.CREATE_STRIPE_CREDIT_NOTE, note.order, CreditNoteMade, f"Credit {what}")
            recorded = await local_step(Activities.RECORD_CREDIT_NOTE, made, LoadedCreditNote)
        except STEP_FAILED as error:
            block = BlockCreditNote(credit_note_key=note.credit_note_key, reason=permanent_reason(error))
            recorded = await local_step(Activities.BLOCK_CREDIT_NOTE, block, LoadedCreditNote)
        return recorded.credit_note

    async def _load(self, activity: str) -> CreditNoteBrief | None:
        return (await local_step(activity, self._ref, LoadedCreditNote)).credit_note

    async def _await_operator(self, note: CreditNoteBrief) -> None:
        reference = CreditNoteKey.parse(note.credit_note_key).reference
        show(
            f"**Blocked** since {clock()}: {note.blocked_reason}\n\nMend the cause, then "
            f"`perdure invoices credit '{note.invoice_key}' --retry {reference}`; `--withdraw {reference}` gives it up."
        )
        await continue_as_new_if_suggested(self._ref, self._woken)
        await workflow.wait_condition(self._woken)

    def _rest(self, note: CreditNoteBrief | None) -> CreditNoteResult:
        if note is None:
            show("Postgres does not know this credit note: there is nothing to do.")
            return CreditNoteResult(credit_note_key=self._ref.credit_note_key, state=None)
        which = note.stripe_credit_note_id or "nothing: it was withdrawn"
        show(f"The credit note is **{note.state}**, in Stripe {which}. Nothing is awaited.")
        return CreditNoteResult(credit_note_key=note.credit_note_key, state=note.state)


async def bring_credit_notes_in_step(stripe_invoice_id: str) -> str | None:
    """Take over what credit notes Stripe has of an invoice; gives the invoice's key, none when it is not ours.

    Three steps by name, for every workflow that wants to be sure of them.
    """
    notes = StripeInvoiceNotes(stripe_invoice_id=stripe_invoice_id)
    invoice = await local_step(Activities.FIND_CREDITED_INVOICE, notes, CreditedInvoice)
    if invoice.invoice_key is None:
        return None
    listed = await stripe_step(
        Activities.LIST_STRIPE_CREDIT_NOTES,
        notes,
        StripeInvoiceCreditNotes,
        f"List the credit notes of {stripe_invoice_id}",
    )
    summary = f"Store {len(listed.credit_notes)} credit notes"
    return (await local_step(Activities.STORE_CREDIT_NOTES, listed, CreditedInvoice, summary)).invoice_key


@workflow.defn(name=Workflows.CREDIT_NOTES_SYNC)
class CreditNotesSyncWorkflow:
    """Brings an invoice's credit notes in step with Stripe: people make and void them there.

    An event only wakes it; all of the invoice's credit notes are listed anew. Then it rests.
    """

    @workflow.init
    def __init__(self, notes: StripeInvoiceNotes) -> None:
        self._stripe_changed = True

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Stripe has news of a credit note of this invoice.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; what the event says is not believed, only looked up."""
        self._stripe_changed = True

    @workflow.run
    async def run(self, notes: StripeInvoiceNotes) -> CreditedInvoice:
        """Look until there is no news."""
        key: str | None = None
        while self._stripe_changed:
            self._stripe_changed = False
            key = await bring_credit_notes_in_step(notes.stripe_invoice_id)
            await workflow.wait_condition(workflow.all_handlers_finished)
        if key is not None:
            attribution_id = InvoiceKey.parse(key).attribution_id
            workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(attribution_id)])
        show(f"The credit notes of {key} are in step since {clock()}." if key else "Not an invoice of ours: ignored.")
        return CreditedInvoice(invoice_key=key)
