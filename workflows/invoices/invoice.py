"""One invoice for all its life."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from billing.invoice.policy import BlockedKind
    from billing.invoice.states import DEAD, OPEN, InvoiceState
    from billing.money import format_amount
    from contracts import retries, search_attributes, workflow_ids
    from contracts.messages.invoices import (
        BlockInvoice,
        DraftMade,
        EditedFigures,
        InvoiceBrief,
        InvoiceOutcome,
        InvoiceRef,
        LoadedInvoice,
        StripeInvoiceSnapshot,
    )
    from contracts.names import Activities, Signals, Workflows
    from workflows.invoices.steps import InvoiceSteps, stripe_ref
    from workflows.steps import STEP_FAILED, clock, failure_of, local_step, permanent_reason, stripe_step

_SETTLED_FOR_GOOD = DEAD | {InvoiceState.PAID}


@workflow.defn(name=Workflows.INVOICE)
class InvoiceWorkflow(InvoiceSteps):
    """Publishes the report, creates and finalizes the Stripe invoice, awaits Stripe, compares the books.

    It begins by loading the invoice's state and does what that state lacks, so that it may be started at any
    time, by its batch, by an event of Stripe's or by an operator; a duplicate finds nothing to do. When
    nothing is awaited it rests (completes); news from Stripe starts it again.
    """

    @workflow.init
    def __init__(self, ref: InvoiceRef) -> None:
        super().__init__(ref)
        self._parked = False
        self._was_open = False

    @workflow.run
    async def run(self, ref: InvoiceRef) -> InvoiceOutcome:
        """Advance until nothing is awaited; returns the state in which the invoice rests."""
        while True:
            try:
                invoice = await self._advance()
            except STEP_FAILED as error:
                invoice = await self._block(error)
            if invoice is not None and invoice.state is InvoiceState.BLOCKED:
                await self._await_operator(invoice)
                continue
            if invoice is not None and self._waits(invoice):
                await self._await_policy(invoice)
                continue
            if invoice is not None and _has_more_to_do(invoice):
                continue
            await self._tell_period(invoice)
            await workflow.wait_condition(workflow.all_handlers_finished)
            # Nothing may be awaited between this check and the end: a signal in between would be lost.
            if not (self._news or self._retry):
                return self._rest(invoice)

    async def _advance(self) -> InvoiceBrief | None:
        """Every step that the invoice's state lacks. None when Postgres does not know the invoice."""
        # What is decided while it is loaded counts for the next time.
        retry, self._retry = self._retry, False
        invoice = await self._load()
        if invoice is None:
            self._news = self._retry = False
            return None
        self._was_open |= invoice.state in OPEN
        if invoice.state is InvoiceState.BLOCKED and not retry:
            return await self._look(invoice) if self._news else invoice
        if invoice.void_requested and invoice.state not in _SETTLED_FOR_GOOD:
            return await self._void(invoice)
        if invoice.state is InvoiceState.BLOCKED:
            invoice = await self._resume()
        return await self._go_on(invoice)

    async def _resume(self) -> InvoiceBrief:
        """Let a blocked invoice go on; one that a brake stops stays blocked: that takes an approval."""
        await local_step(Activities.RESUME_INVOICE, self._ref, LoadedInvoice)
        invoice = await self._reload()
        if invoice.state is InvoiceState.BLOCKED:
            self._news = False
            return invoice
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
        # Stripe's word may have come before it was blocked: ask, rather than wait for it to come again.
        self._news = invoice.stripe_invoice_id is not None
        return invoice

    async def _go_on(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """From the state in which it is to where something is awaited."""
        verified_at = None
        if invoice.state is InvoiceState.DRAFT and self._amend:
            self._amend = False  # one that comes meanwhile is for another time
            invoice = await self._amend_draft(invoice)
        if invoice.state is InvoiceState.CLAIMED:
            invoice = await self._create(invoice)
            verified_at = workflow.now()
        if invoice.void_requested and invoice.state not in _SETTLED_FOR_GOOD:
            return await self._void(invoice)
        if self._waits(invoice):
            return await self._look(invoice) if self._news else invoice
        if invoice.state is InvoiceState.DRAFT:
            return await self._finalize(invoice, verified_at)
        if invoice.state is InvoiceState.FINALIZED or (self._news and invoice.stripe_invoice_id):
            return await self._look(invoice)
        self._news = False
        return invoice

    async def _finalize(self, invoice: InvoiceBrief, verified_at: datetime | None) -> InvoiceBrief:
        """Finalize the draft, and await Stripe's word that it is. `verified_at`: when its creation compared it."""
        ref = stripe_ref(invoice).model_copy(update={"verified_at": verified_at})
        wait = timedelta(seconds=invoice.poll_seconds)
        while True:
            self._say(f"Finalizing {ref.stripe_invoice_id}.")
            finalized = await stripe_step(
                Activities.FINALIZE_STRIPE_INVOICE, ref, StripeInvoiceSnapshot, f"Finalize {ref.stripe_invoice_id}"
            )
            self._news |= finalized.found_finalized
            self._say(
                f"Waiting since {clock()} for Stripe's `invoice.finalized` of {ref.stripe_invoice_id}; "
                f"if it does not come, Stripe is asked after {wait}."
            )
            await self._await_news(wait)
            invoice = await self._look(invoice)
            # Taken over from Stripe meanwhile, it may come to another figure than the approved one.
            if invoice.state is not InvoiceState.DRAFT or self._retry or self._waits(invoice):
                return invoice
            await self._park()
            if workflow.info().is_continue_as_new_suggested() and not (self._news or self._retry):
                workflow.continue_as_new(self._ref)
            ref = stripe_ref(invoice)
            wait = min(wait * 2, retries.FINALIZATION_POLL_LONGEST)

    async def _await_news(self, wait: timedelta) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._news, timeout=wait, timeout_summary="Ask Stripe, should its webhook not come"
            )
        except TimeoutError:
            workflow.logger.warning("no webhook for %s within %s: asking Stripe", self._ref.invoice_key, wait)

    async def _await_policy(self, invoice: InvoiceBrief) -> None:
        """Wait for the approval, or until shortly before Stripe finalizes it; then late usage is added once more."""
        what = f"{format_amount(invoice.amount, invoice.currency)} for {invoice.attribution_id}"
        timeout = None
        if invoice.awaits_approval:
            self._say(
                f"Waiting since {clock()} for a person: {what}.\n\n"
                f"`perdure invoices approve '{invoice.invoice_key}'` finalizes it."
            )
        else:
            assert invoice.waits_until is not None
            timeout = invoice.waits_until - workflow.now()
            self._say(
                f"{what}: {invoice.stripe_invoice_id} is finalized at {invoice.waits_until:%Y-%m-%d %H:%M:%S UTC}. "
                + (
                    "It is approved, so that late usage goes on the next invoice."
                    if invoice.approved
                    else "Late usage is added then, or before by running the period again."
                )
            )
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
        await self._park()
        if workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(workflow.all_handlers_finished)
            if not self._woken:
                workflow.continue_as_new(self._ref)
        try:
            await workflow.wait_condition(
                lambda: self._woken, timeout=timeout, timeout_summary="Add late usage, compare for the last time"
            )
        except TimeoutError:
            self._amend = True

    async def _block(self, error: ActivityError | ApplicationError) -> InvoiceBrief | None:
        """Let the invoice wait for an operator, unless it is gone by now.

        Raises:
            ActivityError, ApplicationError: it cannot be blocked though it is alive.
        """
        made, found = _details(error)
        block = BlockInvoice(
            invoice_key=self._ref.invoice_key,
            reason=permanent_reason(error),
            stripe_invoice_id=made.stripe_invoice_id if made else None,
            stripe_customer_id=made.stripe_customer_id if made else None,
            found=found,
            void_refused=self._voiding,
        )
        self._voiding = False
        try:
            return (await local_step(Activities.BLOCK_INVOICE, block, LoadedInvoice)).invoice
        except STEP_FAILED:
            invoice = await self._load()
            if invoice is not None and invoice.state not in DEAD:
                raise
            return invoice

    async def _await_operator(self, invoice: InvoiceBrief) -> None:
        """Blocked: wait, visibly, for a retry or for news."""
        since = f"{invoice.blocked_since:%Y-%m-%d %H:%M:%S UTC}" if invoice.blocked_since else clock()
        self._say(f"**Blocked** since {since}: {invoice.blocked_reason}\n\n{_way_out(invoice)}")
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
        await self._park()
        if workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(workflow.all_handlers_finished)
            if not (self._retry or self._news):
                workflow.continue_as_new(self._ref)
        await workflow.wait_condition(lambda: self._retry or self._news)

    async def _park(self) -> None:
        """Tell the batch, once, that it need not wait for this invoice; the period is told when it settles."""
        if self._parked:
            return
        self._parked = True
        parent = workflow.info().parent
        if parent is not None:
            await self._tell(parent.workflow_id, Signals.INVOICE_PARKED)

    async def _tell_period(self, invoice: InvoiceBrief | None) -> None:
        """A period that waits for this invoice through Postgres may look now; a batch awaits its child itself."""
        moved = self._was_open and invoice is not None and invoice.state not in OPEN
        if invoice is None or not moved or not (self._parked or workflow.info().parent is None):
            return
        self._was_open = self._parked = False
        for whose in (None, invoice.attribution_id):
            await self._tell(workflow_ids.billing_period(invoice.billing_period, whose), Signals.RECHECK)

    def _rest(self, invoice: InvoiceBrief | None) -> InvoiceOutcome:
        if invoice is None:
            workflow.metric_meter().create_counter(
                "perdure_unknown_invoices", "Wake-ups for invoice keys that Postgres does not know"
            ).add(1)
            self._say("Postgres does not know this invoice: there is nothing to do.")
            return InvoiceOutcome(invoice_key=self._ref.invoice_key, state=None)
        workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
        released = " Its usage is billable again." if invoice.state in DEAD else ""
        self._say(f"The invoice is **{invoice.state}** since {clock()}.{released} Nothing is awaited.")
        return InvoiceOutcome(invoice_key=invoice.invoice_key, state=invoice.state)

    async def _tell(self, workflow_id: str, signal: str) -> None:
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(signal, self._ref)
        except FailureError:
            # Whoever is no longer there does not wait either; Postgres has the state.
            workflow.logger.info("%s is not running: %s not delivered", workflow_id, signal)


def _has_more_to_do(invoice: InvoiceBrief) -> bool:
    """Whether it must not rest: a draft whose wait is over, or what a person wants voided."""
    voids = invoice.void_requested and invoice.state not in _SETTLED_FOR_GOOD
    return invoice.state is InvoiceState.DRAFT or voids


def _details(error: ActivityError | ApplicationError) -> tuple[DraftMade | None, EditedFigures | None]:
    """What the step that failed for good had made in Stripe before, and what it found there in place of ours."""
    made = found = None
    for detail in failure_of(error).details:
        if "stripe_invoice_id" in detail:
            made = DraftMade.model_validate(detail)
        elif "digest" in detail:
            found = EditedFigures.model_validate(detail)
    return made, found


def _way_out(invoice: InvoiceBrief) -> str:
    key = invoice.invoice_key
    if invoice.blocked_kind is BlockedKind.LIMIT:
        return (
            f"`perdure invoices approve '{key}'` lets it go; `perdure invoices void '{key}' --reason TEXT` gives it up."
        )
    if invoice.blocked_kind is BlockedKind.EDITED:
        return (
            f"`perdure invoices approve '{key}'` accepts what is in Stripe; `perdure invoices rebuild '{key}'` makes "
            "it anew from our lines."
        )
    return f"Mend the cause, then `perdure invoices retry '{key}'`."
