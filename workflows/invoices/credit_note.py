"""One credit note, from request to Stripe; and an invoice's credit notes, from Stripe to Postgres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.invoice.credit_notes import CreditNoteState
    from billing.invoice.key import CreditNoteKey, InvoiceKey
    from billing.money import format_amount
    from billing.text import plural
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
    from workflows import logged
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


_WAIT = timedelta(seconds=3)
_MOST_WAITS = 20


@dataclass(frozen=True)
class CreditNoteInbox:
    """What people have requested for a blocked credit note."""

    retry: bool = False
    withdraw: bool = False


@workflow.defn(name=Workflows.CREDIT_NOTE)
class CreditNoteWorkflow:
    """Creates one credit note in Stripe, exactly once; what Stripe refuses waits for an operator.

    It first loads the credit note, so that it can be started at any time; when nothing is left to do, it rests.
    """

    @workflow.init
    def __init__(self, ref: CreditNoteRef) -> None:
        self._ref = ref
        self._inbox = CreditNoteInbox()

    @workflow.signal(name=Signals.RETRY, description="Retry a blocked credit note, after its cause is fixed.")
    def retry(self) -> None:
        """Retry what Stripe refused."""
        self._inbox = replace(self._inbox, retry=True)

    @workflow.signal(name=Signals.WITHDRAW, description="Withdraw a blocked credit note, unless Stripe has it.")
    def withdraw(self) -> None:
        """Give up what Stripe refused: its amount can be credited again."""
        self._inbox = replace(self._inbox, withdraw=True)

    @workflow.run
    async def run(self, ref: CreditNoteRef) -> CreditNoteResult:
        """Work until Stripe has the credit note; return the state in which it rests."""
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
            # Stripe may have created it after all: store what Stripe has first.
            await bring_credit_notes_in_step(note.order.stripe_invoice_id)
            return await self._load(Activities.WITHDRAW_CREDIT_NOTE)
        if note.state is CreditNoteState.BLOCKED and heard.retry:
            note = await self._load(Activities.RESUME_CREDIT_NOTE)
            assert note is not None
        note = await self._in_turn(note)
        if note is None or note.state is not CreditNoteState.REQUESTED:
            return note
        what = f"{format_amount(note.order.amount, note.order.currency)} on {note.order.stripe_invoice_id}"
        show(f"Crediting {what} in Stripe since {clock()}.")
        try:
            made = await stripe_step(Activities.CREATE_STRIPE_CREDIT_NOTE, note.order, CreditNoteMade, f"Credit {what}")
            recorded = await local_step(Activities.RECORD_CREDIT_NOTE, made, LoadedCreditNote)
        except STEP_FAILED as error:
            block = BlockCreditNote(credit_note_key=note.credit_note_key, reason=permanent_reason(error))
            logged.credit_note_blocked(note, block.reason)
            recorded = await local_step(Activities.BLOCK_CREDIT_NOTE, block, LoadedCreditNote)
        return recorded.credit_note

    async def _in_turn(self, note: CreditNoteBrief | None) -> CreditNoteBrief | None:
        """Wait a little for the others if this one takes what they leave; return it as it is then.

        Rounded taxes are exact for the last one in Stripe alone. Without the others, Stripe's total stays a cent off.
        """
        for _ in range(_MOST_WAITS):
            if note is None or note.waits_for is None:
                break
            show(f"Waits for `{note.waits_for}` since {clock()}: this one credits what is left of the invoice then.")
            await workflow.sleep(_WAIT)
            note = await self._load(Activities.LOAD_CREDIT_NOTE)
        return note

    async def _load(self, activity: str) -> CreditNoteBrief | None:
        return (await local_step(activity, self._ref, LoadedCreditNote)).credit_note

    async def _await_operator(self, note: CreditNoteBrief) -> None:
        reference = CreditNoteKey.parse(note.credit_note_key).reference
        command = f"perdure invoices credit '{note.invoice_key}'"
        show(
            f"**Blocked** since {clock()}: {note.blocked_reason}\n\nFix the cause, then "
            f"`{command} --retry {reference}`. To give it up: `{command} --withdraw {reference}`."
        )
        await continue_as_new_if_suggested(self._ref, self._woken)
        await workflow.wait_condition(self._woken)

    def _rest(self, note: CreditNoteBrief | None) -> CreditNoteResult:
        if note is None:
            show("This credit note is not in Postgres: nothing to do.")
            return CreditNoteResult(credit_note_key=self._ref.credit_note_key, state=None)
        where = f"{note.stripe_credit_note_id} in Stripe" if note.stripe_credit_note_id else "withdrawn, not in Stripe"
        show(f"Credit note **{note.state}**: {where}. Nothing is awaited.")
        return CreditNoteResult(credit_note_key=note.credit_note_key, state=note.state)


async def bring_credit_notes_in_step(stripe_invoice_id: str) -> str | None:
    """Store the credit notes that Stripe has for an invoice; return the invoice's key, or None if it is not ours.

    Three steps, shared by the workflows that need Postgres to agree with Stripe.
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
    summary = f"Store {plural(len(listed.credit_notes), 'credit note')}"
    return (await local_step(Activities.STORE_CREDIT_NOTES, listed, CreditedInvoice, summary)).invoice_key


@workflow.defn(name=Workflows.CREDIT_NOTES_SYNC)
class CreditNotesSyncWorkflow:
    """Stores an invoice's credit notes as Stripe has them: people create and void them there.

    An event only wakes it; all of the invoice's credit notes are listed again. Then it rests.
    """

    @workflow.init
    def __init__(self, notes: StripeInvoiceNotes) -> None:
        self._stripe_changed = True

    @workflow.signal(name=Signals.STRIPE_EVENT, description="A credit note of this invoice changed in Stripe.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; the event's content is not trusted, the credit notes are listed."""
        self._stripe_changed = True

    @workflow.run
    async def run(self, notes: StripeInvoiceNotes) -> CreditedInvoice:
        """List and store until no further event has arrived."""
        key: str | None = None
        while self._stripe_changed:
            self._stripe_changed = False
            key = await bring_credit_notes_in_step(notes.stripe_invoice_id)
            await workflow.wait_condition(workflow.all_handlers_finished)
        if key is not None:
            attribution_id = InvoiceKey.parse(key).attribution_id
            workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(attribution_id)])
        show(f"The credit notes of {key} match Stripe as of {clock()}." if key else "Not one of our invoices: ignored.")
        return CreditedInvoice(invoice_key=key)
