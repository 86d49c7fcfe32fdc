"""One invoice for all its life."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from billing.invoice import DEAD, OPEN, InvoiceState
    from billing.money import format_amount
    from contracts import retries, search_attributes, workflow_ids
    from contracts.invoices import (
        BlockInvoice,
        CustomerFound,
        CustomerOrder,
        DraftMade,
        InvoiceBrief,
        InvoiceOutcome,
        InvoiceRef,
        LoadedInvoice,
        SettleInvoice,
        StripeEvent,
        StripeInvoiceOrder,
        StripeInvoiceRef,
        StripeInvoiceSnapshot,
    )
    from contracts.names import Activities, Signals, Workflows
    from workflows.steps import STEP_FAILED, clock, failure_of, local_step, permanent_reason, stripe_step


@workflow.defn(name=Workflows.INVOICE)
class InvoiceWorkflow:
    """Publishes the report, creates and finalizes the Stripe invoice, awaits Stripe, compares the books.

    It begins by loading the invoice's state and does what that state lacks, so that it may be started at any
    time, by its batch, by an event of Stripe's or by an operator; a duplicate finds nothing to do. When
    nothing is awaited it rests (completes); news from Stripe starts it again.
    """

    @workflow.init
    def __init__(self, ref: InvoiceRef) -> None:
        self._ref = ref
        self._news = False
        self._retry = False
        self._parked = False
        self._was_open = False

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Stripe has news of this invoice: it is fetched anew.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; what the event says is not believed, only looked up."""
        self._news = True

    @workflow.signal(name=Signals.RETRY, description="Go on with a blocked invoice, after its cause was mended.")
    def retry(self) -> None:
        """Let a blocked invoice go on; of any other, look what Stripe has."""
        self._retry = self._news = True

    @workflow.run
    async def run(self, ref: InvoiceRef) -> InvoiceOutcome:
        """Advance until nothing is awaited; returns the state in which the invoice rests."""
        while True:
            try:
                invoice = await self._advance()
            except STEP_FAILED as error:
                invoice = await self._block(permanent_reason(error), _made(error))
            if invoice is not None and invoice.state is InvoiceState.BLOCKED:
                await self._await_operator(invoice)
                continue
            await self._tell_period(invoice)
            await workflow.wait_condition(workflow.all_handlers_finished)
            # Nothing may be awaited between this check and the end: a signal in between would be lost.
            if not self._news:
                return self._rest(invoice)

    async def _advance(self) -> InvoiceBrief | None:
        """Every step that the invoice's state lacks. None when Postgres does not know the invoice."""
        invoice = await self._load()
        if invoice is None:
            self._news = self._retry = False
            return None
        self._was_open |= invoice.state in OPEN
        if invoice.state is InvoiceState.BLOCKED and not self._retry:
            return await self._look(invoice) if self._news else invoice
        self._retry = False
        if invoice.state is InvoiceState.BLOCKED:
            await local_step(Activities.RESUME_INVOICE, self._ref, LoadedInvoice)
            invoice = await self._load()
            assert invoice is not None
            workflow.upsert_search_attributes([search_attributes.INVOICE_STATE.value_set(str(invoice.state))])
            # Stripe's word may have come before it was blocked: ask, rather than wait for it to come again.
            self._news = invoice.stripe_invoice_id is not None
        verified_at = None
        if invoice.state is InvoiceState.CLAIMED:
            invoice = await self._create(invoice)
            verified_at = workflow.now()
        if invoice.state is InvoiceState.DRAFT:
            return await self._finalize(invoice, verified_at)
        if invoice.state is InvoiceState.FINALIZED or (self._news and invoice.stripe_invoice_id):
            return await self._look(invoice)
        self._news = False
        return invoice

    async def _load(self) -> InvoiceBrief | None:
        return (await local_step(Activities.LOAD_INVOICE, self._ref, LoadedInvoice)).invoice

    async def _create(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """From claimed usage to a Stripe draft with its lines."""
        what = f"{format_amount(invoice.amount, invoice.currency)} for {invoice.attribution_id}"
        self._say(f"Publishing the usage report: {what}.")
        order = await local_step(Activities.PUBLISH_REPORT, self._ref, StripeInvoiceOrder, "Publish the usage report")
        if order.stripe_customer_id is None:
            self._say(f"Finding or creating the Stripe customer of {invoice.attribution_id}.")
            found = await stripe_step(
                Activities.ENSURE_CUSTOMER,
                CustomerOrder(attribution_id=invoice.attribution_id),
                CustomerFound,
                f"Find or create the customer of {invoice.attribution_id}",
            )
            found = await local_step(Activities.RECORD_CUSTOMER, found, CustomerFound)
            order = order.model_copy(update={"stripe_customer_id": found.stripe_customer_id})
        self._say(f"Creating the Stripe invoice: {what}.")
        draft = await stripe_step(
            Activities.CREATE_STRIPE_INVOICE, order, DraftMade, f"Create the Stripe invoice: {what}"
        )
        loaded = await local_step(Activities.RECORD_DRAFT, draft, LoadedInvoice)
        assert loaded.invoice is not None
        workflow.upsert_search_attributes(
            [
                search_attributes.STRIPE_INVOICE_ID.value_set(draft.stripe_invoice_id),
                search_attributes.INVOICE_STATE.value_set(str(loaded.invoice.state)),
            ]
        )
        return loaded.invoice

    async def _finalize(self, invoice: InvoiceBrief, verified_at: datetime | None) -> InvoiceBrief:
        """Finalize the draft, and await Stripe's word that it is. `verified_at`: when its creation compared it."""
        ref = _stripe_ref(invoice).model_copy(update={"verified_at": verified_at})
        wait = timedelta(seconds=invoice.poll_seconds)
        while True:
            self._say(f"Finalizing {ref.stripe_invoice_id}.")
            await stripe_step(
                Activities.FINALIZE_STRIPE_INVOICE, ref, StripeInvoiceSnapshot, f"Finalize {ref.stripe_invoice_id}"
            )
            self._say(
                f"Waiting since {clock()} for Stripe's `invoice.finalized` of {ref.stripe_invoice_id}; "
                f"if it does not come, Stripe is asked after {wait}."
            )
            await self._await_news(wait)
            invoice = await self._look(invoice)
            if invoice.state is not InvoiceState.DRAFT:
                return invoice
            await self._park()
            if workflow.info().is_continue_as_new_suggested() and not (self._news or self._retry):
                workflow.continue_as_new(self._ref)
            ref = _stripe_ref(invoice)
            wait = min(wait * 2, retries.FINALIZATION_POLL_LONGEST)

    async def _await_news(self, wait: timedelta) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._news, timeout=wait, timeout_summary="Ask Stripe, should its webhook not come"
            )
        except TimeoutError:
            workflow.logger.warning("no webhook for %s within %s: asking Stripe", self._ref.invoice_key, wait)

    async def _look(self, invoice: InvoiceBrief) -> InvoiceBrief:
        """Fetch the Stripe invoice, compare the books, and take over its state."""
        self._news = False
        if invoice.stripe_invoice_id is None:
            return invoice
        self._say(f"Comparing report, claims and lines with {invoice.stripe_invoice_id} in Stripe.")
        snapshot = await stripe_step(
            Activities.RETRIEVE_STRIPE_INVOICE,
            _stripe_ref(invoice),
            StripeInvoiceSnapshot,
            f"Retrieve {invoice.stripe_invoice_id}",
        )
        loaded = await local_step(
            Activities.SETTLE_INVOICE,
            SettleInvoice(invoice_key=invoice.invoice_key, snapshot=snapshot),
            LoadedInvoice,
            f"Read the report back, compare the books, take over Stripe's state {snapshot.status!r}",
        )
        assert loaded.invoice is not None
        return loaded.invoice

    async def _block(self, reason: str, made: DraftMade | None) -> InvoiceBrief | None:
        """Let the invoice wait for an operator, unless it is gone by now.

        Raises:
            ActivityError, ApplicationError: it cannot be blocked though it is alive.
        """
        block = BlockInvoice(
            invoice_key=self._ref.invoice_key,
            reason=reason,
            stripe_invoice_id=made.stripe_invoice_id if made else None,
            stripe_customer_id=made.stripe_customer_id if made else None,
        )
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
        self._say(
            f"**Blocked** since {since}: {invoice.blocked_reason}\n\n"
            f"Mend the cause, then `perdure invoices retry '{invoice.invoice_key}'`."
        )
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

    @staticmethod
    def _say(details: str) -> None:
        workflow.set_current_details(details)


def _stripe_ref(invoice: InvoiceBrief) -> StripeInvoiceRef:
    assert invoice.stripe_invoice_id is not None
    return StripeInvoiceRef(
        invoice_key=invoice.invoice_key,
        stripe_invoice_id=invoice.stripe_invoice_id,
        generation=invoice.generation,
        stripe_customer_id=invoice.stripe_customer_id,
        currency=invoice.currency,
        amount=invoice.amount,
        lines_digest=invoice.lines_digest,
    )


def _made(error: ActivityError | ApplicationError) -> DraftMade | None:
    """What the step that failed for good had made in Stripe before."""
    details = failure_of(error).details
    return DraftMade.model_validate(details[0]) if details else None
