"""One invoice, from its claim to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import Inbox, InvoiceState, Step, next_step
    from contracts import retries
    from contracts.messages.invoices import (
        ApproveInvoice,
        InvoiceBrief,
        InvoiceRef,
        InvoiceResult,
        RebuildInvoice,
        StripeEvent,
        VoidInvoice,
    )
    from contracts.messages.one_step.billed import StripeInvoiceBilled
    from contracts.names import Activities, Signals, Updates, Workflows
    from workflows import logged
    from workflows.invoices import details, one_step, steps
    from workflows.invoices.audience import Audience, park, tell_period
    from workflows.steps import STEP_FAILED, continue_as_new_if_suggested, local_step, nothing_was_heard


@workflow.defn(name=Workflows.INVOICE)
class InvoiceWorkflow:
    """Publishes the report, creates and finalizes the Stripe invoice, awaits Stripe, compares the books.

    It loads the invoice, asks `next_step` what to do, and does it, so that it can be started at any time: by its
    batch, by a Stripe event or by an operator. A duplicate finds nothing to do. When nothing is awaited it rests
    (completes); the next event or decision starts it again.

    Signals and updates only record in the inbox what arrived. A decision is recorded in Postgres, under the invoice's
    lock, before it is answered: a refused decision fails the update with its reason and changes nothing.
    """

    @workflow.init
    def __init__(self, ref: InvoiceRef) -> None:
        self._ref = ref
        self._inbox = Inbox(stripe_changed=ref.look)

    @workflow.signal(name=Signals.STRIPE_EVENT, description="This invoice changed in Stripe: it is fetched.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Note that Stripe's side changed; of the event, only its type counts: the invoice is fetched."""
        self._inbox = self._inbox.hearing(event.type)

    @workflow.signal(name=Signals.RETRY, description="Resume a blocked invoice, after its cause is fixed.")
    def retry(self) -> None:
        """Resume a blocked invoice; refresh any other."""
        self._inbox = replace(self._inbox, retry=True, stripe_changed=True)

    @workflow.signal(name=Signals.AMEND, description="Claim late usage, while the draft still waits.")
    def amend(self) -> None:
        """Claim late usage for a draft that waits."""
        self._inbox = replace(self._inbox, amend=True)

    @workflow.update(name=Updates.APPROVE, description="Approve this invoice at the amount that you have seen.")
    async def approve(self, approval: ApproveInvoice) -> InvoiceRef:
        """Approve a draft or an invoice that a limit blocks, or accept the edits that a person made in Stripe.

        Raises:
            ApplicationError: the invoice does not wait for an approval, or its amount is different now.
        """
        return await self._decide(Activities.APPROVE_INVOICE, approval, f"Approved by {approval.by}")

    @approve.validator
    def _validate_approval(self, approval: ApproveInvoice) -> None:
        _require(approval.by)
        if approval.amount < 0:
            raise ValueError("the approved amount must not be negative")

    @workflow.update(name=Updates.REBUILD, description="Replace an edited Stripe invoice by one with our lines.")
    async def rebuild(self, rebuild: RebuildInvoice) -> InvoiceRef:
        """Replace the edited Stripe invoice by one with our lines.

        Raises:
            ApplicationError: the invoice is not blocked as edited.
        """
        return await self._decide(Activities.REBUILD_INVOICE, rebuild, f"Rebuilt by {rebuild.by}")

    @rebuild.validator
    def _validate_rebuild(self, rebuild: RebuildInvoice) -> None:
        _require(rebuild.by)

    @workflow.update(name=Updates.VOID, description="Void this invoice in Stripe; optionally, write its usage off.")
    async def void(self, void: VoidInvoice) -> InvoiceRef:
        """Request the void.

        Raises:
            ApplicationError: the invoice is paid, or already dead.
        """
        return await self._decide(Activities.REQUEST_VOID, void, f"Voided by {void.by}")

    @void.validator
    def _validate_void(self, void: VoidInvoice) -> None:
        _require(void.by)
        _require(void.reason)

    async def _decide(
        self, name: str, decision: ApproveInvoice | RebuildInvoice | VoidInvoice, summary: str
    ) -> InvoiceRef:
        named = decision.model_copy(update={"invoice_key": self._ref.invoice_key})
        decided = await local_step(name, named, InvoiceRef, summary)
        logged.decided(self._ref.invoice_key, decision)
        self._inbox = replace(self._inbox, retry=True, stripe_changed=True)
        return decided

    @workflow.run
    async def run(self, ref: InvoiceRef) -> InvoiceResult:
        """Do step after step until nothing is awaited; return the state in which the invoice rests."""
        invoice: InvoiceBrief | None = None
        audience = Audience()
        wait = timedelta()
        while True:
            step = next_step(invoice, self._inbox, workflow.now())
            if step is Step.REST:
                self._inbox = self._inbox.resting()
                audience = await tell_period(ref, audience, invoice)
                if await nothing_was_heard(lambda: self._inbox.wakes_blocked):
                    marked = self._inbox.last is Step.BILL and not self._inbox.doubted
                    return details.rest(ref, invoice, marked=marked)
                self._inbox = replace(self._inbox, last=None)
                continue
            if invoice is not None and step in (Step.AWAIT_OPERATOR, Step.AWAIT_POLICY):
                timeout = details.show_waiting(step, invoice)
                audience = await park(ref, audience)
                await self._await_inbox(step, timeout)
                continue
            if step is Step.POLL:
                audience = await park(ref, audience)
                await continue_as_new_if_suggested(ref, lambda: self._inbox.wakes_blocked)
                wait = min(wait * 2, retries.FINALIZATION_POLL_LONGEST)
            elif step in (Step.FINALIZE, Step.BILL) and invoice is not None:
                wait = timedelta(seconds=invoice.poll_seconds)
            before, invoice = invoice, await self._take(step, invoice, wait)
            logged.invoice_changed(before, invoice)
            audience = audience.seeing(invoice) if step is Step.LOAD else audience

    async def _await_inbox(self, step: Step, timeout: timedelta | None) -> None:
        """Wait for a person or Stripe; in a grace also for its end, when late usage is added for the last time.

        An invoice that waits to be released in Stripe is refreshed daily: the event might never come.
        """

        def woken() -> bool:
            return self._inbox.wakes_blocked if step is Step.AWAIT_OPERATOR else self._inbox.wakes_waiting

        await continue_as_new_if_suggested(self._ref, woken)
        blocked = step is Step.AWAIT_OPERATOR
        summary = "Ask Stripe whether it is released" if blocked else "Grace ends: add late usage, compare, finalize"
        try:
            await workflow.wait_condition(woken, timeout=timeout, timeout_summary=summary)
        except TimeoutError:
            self._inbox = replace(self._inbox, stripe_changed=True) if blocked else replace(self._inbox, amend=True)
        self._inbox = replace(self._inbox, last=None)

    async def _take(self, step: Step, invoice: InvoiceBrief | None, wait: timedelta) -> InvoiceBrief | None:
        """Do a step and return the invoice after it; a step that fails permanently blocks the invoice.

        Raises:
            ActivityError, ApplicationError: the invoice cannot be blocked although it is live.
        """
        verified_at = workflow.now() if self._inbox.last is Step.CREATE and not self._inbox.doubted else None
        self._inbox = self._inbox.taking(step)
        try:
            if step is Step.LOAD or invoice is None:
                return await self._load()
            if step is Step.BILL:
                return await self._bill(invoice, wait)
            if step in (Step.FINALIZE, Step.POLL):
                return await self._finalize(invoice, wait, verified_at)
            return await self._act(step, invoice)
        except STEP_FAILED as error:
            return await self._block(error, invoice)

    async def _block(
        self, error: ActivityError | ApplicationError, invoice: InvoiceBrief | None
    ) -> InvoiceBrief | None:
        self._inbox = self._inbox.taking(Step.BLOCK)
        return await steps.block(self._ref, error, invoice)

    async def _load(self) -> InvoiceBrief | None:
        invoice = await steps.load(self._ref)
        if invoice is None:
            self._inbox = replace(self._inbox.without_events(), retry=False)
        return invoice

    async def _act(self, step: Step, invoice: InvoiceBrief) -> InvoiceBrief:
        match step:
            case Step.RESUME:
                invoice = await steps.resume(self._ref)
                # Stripe's event may have arrived before the invoice was blocked: ask, rather than wait for another.
                asks = invoice.state is not InvoiceState.BLOCKED and invoice.stripe_invoice_id is not None
                self._inbox = replace(self._inbox.without_events(), stripe_changed=asks)
            case Step.AMEND:
                amended = await steps.amend(self._ref, invoice)
                if amended is None:
                    self._inbox = replace(self._inbox, stripe_changed=True)
                return amended or invoice
            case Step.CREATE:
                return await steps.create(self._ref, invoice)
            case Step.VOID:
                return await steps.void(invoice)
            case Step.REFRESH:
                return await steps.refresh(invoice)
            case _:
                raise AssertionError(f"no action for the step {step}")
        return invoice

    async def _bill(self, invoice: InvoiceBrief, wait: timedelta) -> InvoiceBrief | None:
        """Bill the invoice in one Stripe step, await Stripe's events, settle by Stripe's answer if it covers them."""
        result = await one_step.bill(self._ref, invoice, lambda: self._inbox.retry)
        billed = result.billed
        if billed is None:
            self._inbox = replace(self._inbox, doubted=True)
            return one_step.naming(await steps.reload(self._ref), result.left)
        heard = await self._await_stripe(
            billed.created.stripe_invoice_id, wait, partial(one_step.heard_enough, billed, lambda: self._inbox)
        )
        if not (heard and one_step.covers(billed, self._inbox)):
            self._inbox = self._inbox.without_events()
            named = one_step.naming(invoice, billed.created)
            try:
                billed = await one_step.refreshed(named, billed)
            except STEP_FAILED as error:
                return await self._block(error, named)
        self._forget_covered(billed)  # also if the books differ: the blocked invoice needs no second look
        settled = await one_step.settle(billed)
        self._forget_covered(billed)
        return settled

    def _forget_covered(self, billed: StripeInvoiceBilled) -> None:
        if one_step.covers(billed, self._inbox):
            self._inbox = self._inbox.without_events()

    async def _finalize(self, invoice: InvoiceBrief, wait: timedelta, verified_at: datetime | None) -> InvoiceBrief:
        """Finalize the draft, await Stripe's event, refresh. `verified_at`: when the draft's creation compared it."""
        if await steps.finalize(invoice, verified_at):
            self._inbox = replace(self._inbox, stripe_changed=True)
        await self._await_stripe(invoice.stripe_invoice_id, wait, lambda: self._inbox.stripe_changed)
        self._inbox = self._inbox.without_events()
        return await steps.refresh(invoice)

    async def _await_stripe(self, stripe_invoice_id: str | None, wait: timedelta, heard: Callable[[], bool]) -> bool:
        """Wait for Stripe's events; return whether they came."""
        details.show_finalizing(stripe_invoice_id, wait)
        try:
            await workflow.wait_condition(
                heard, timeout=wait, timeout_summary="Ask Stripe if its webhook has not arrived"
            )
        except TimeoutError:
            logged.no_webhook(self._ref.invoice_key, wait.total_seconds())
            return False
        return True


def _require(text: str) -> None:
    if not text.strip():
        raise ValueError("name the person who decides, and the reason of a void")
