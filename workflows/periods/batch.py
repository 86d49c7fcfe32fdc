"""One page of a billing period's accounts."""

from __future__ import annotations

import asyncio
from collections import Counter

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from billing.invoice.states import InvoiceState
    from billing.text import plural
    from contracts import retries, workflow_ids
    from contracts.messages.customers import FindCustomersToAsk
    from contracts.messages.invoices import InvoiceRef
    from contracts.messages.periods import BatchInput, BatchResult, PageClaimed
    from contracts.names import Activities, Signals, Workflows
    from workflows.invoices.start import start_invoice
    from workflows.steps import billing_step, clock, show
    from workflows.stripe_sync.customers import ask_about_customers

_STARTS_IN_FLIGHT = 8
"""More contend for this workflow's lock in Temporal's server, which then tries each of them again and again."""


@workflow.defn(name=Workflows.BILLING_BATCH)
class BillingBatchWorkflow:
    """Claims the page's usage in one step, starts its invoices, waits until each is settled or parked.

    A parked invoice waits for an operator or for Stripe; it continues by itself, and the period waits for it.
    """

    @workflow.init
    def __init__(self, batch: BatchInput) -> None:
        self._batch = batch
        self._keys: list[str] = []
        self._fates: dict[str, str] = {}
        self._started = 0

    @workflow.signal(name=Signals.INVOICE_PARKED, description="Stop waiting for this invoice: it is parked.")
    def invoice_parked(self, invoice: InvoiceRef) -> None:
        """Stop waiting for this invoice. An invoice of an earlier batch with this id is ignored."""
        if invoice.invoice_key in self._keys:
            self._fates.setdefault(invoice.invoice_key, "parked")
            self._report()

    @workflow.run
    async def run(self, batch: BatchInput) -> BatchResult:
        """Bill the page; return how many of its invoices are settled, parked or driven elsewhere."""
        page = batch.page
        if batch.asking_since is not None:
            show(f"Asking Stripe about the customers of accounts up to `{page.through}` since {clock()}.")
            await ask_about_customers(
                FindCustomersToAsk(
                    since=batch.asking_since,
                    after=page.after,
                    through=page.through,
                    attribution_id=batch.attribution_id,
                )
            )
        show(f"Claiming the usage of accounts up to `{page.through}` since {clock()}.")
        claimed = await billing_step(
            Activities.CLAIM_PAGE, batch, PageClaimed, f"Claim the usage of accounts up to {page.through}"
        )
        self._keys = claimed.invoice_keys
        self._report()
        for key in claimed.amendable:
            await self._amend(key)
        drives = await self._start_all()
        await self._await_fates()
        for drive in drives:
            if drive.done():
                drive.result()
        await workflow.wait_condition(workflow.all_handlers_finished)
        fates = Counter(self._fates.values())
        self._report()
        return BatchResult(
            invoices=len(self._keys),
            settled=fates["settled"],
            parked=sorted(key for key, fate in self._fates.items() if fate == "parked"),
            elsewhere=fates["elsewhere"],
        )

    async def _start_all(self) -> list[asyncio.Task[None]]:
        """Start the page's invoices, a few at a time. Returns the tasks that wait for each."""
        paced = len(self._keys) > _STARTS_IN_FLIGHT and workflow.patched("paced-starts")
        drives: list[asyncio.Task[None]] = []
        for key in self._keys:
            if paced:
                await workflow.wait_condition(lambda: len(drives) - self._started < _STARTS_IN_FLIGHT)
            drives.append(asyncio.create_task(self._drive(key)))
        # A child whose start is not confirmed would be lost with its batch.
        await workflow.wait_condition(lambda: self._started == len(self._keys))
        return drives

    async def _await_fates(self) -> None:
        """Wait for every invoice, but not forever: an invoice that keeps failing must not hold up the next batch."""
        try:
            await workflow.wait_condition(
                lambda: len(self._fates) == len(self._keys),
                timeout=retries.BATCH_PATIENCE,
                timeout_summary="Stop waiting: open invoices continue by themselves",
            )
        except TimeoutError:
            for key in self._keys:
                self._fates.setdefault(key, "parked")

    async def _drive(self, key: str) -> None:
        try:
            invoice = await start_invoice(key, state=InvoiceState.CLAIMED)
        except WorkflowAlreadyStartedError:
            # Another run, an event or an operator drives it; the period waits for it through Postgres.
            self._started += 1
            self._fates[key] = "elsewhere"
            self._report()
            return
        self._started += 1
        self._report()
        try:
            await invoice
            fate = "settled"
        except ChildWorkflowError:
            workflow.logger.exception("the workflow of invoice %s was ended from outside", key)
            fate = "parked"
        self._fates[key] = fate
        self._report()

    async def _amend(self, key: str) -> None:
        """Signal an invoice whose draft waits by its policy: its own workflow claims late usage for it."""
        try:
            await workflow.get_external_workflow_handle(workflow_ids.invoice(key)).signal(Signals.AMEND)
        except FailureError:
            workflow.logger.info("invoice %s is not running: it is started now", key)

    def _report(self) -> None:
        fates = Counter(self._fates.values())
        waiting = len(self._keys) - len(self._fates)
        starting = min(waiting, len(self._keys) - self._started)
        parked = [f"- `{key}`" for key, fate in self._fates.items() if fate == "parked"][:20]
        show(
            f"{plural(len(self._keys), 'invoice')}: {fates['settled']:,} settled, {waiting - starting:,} in progress, "
            f"{fates['parked']:,} waiting for a person or for Stripe, {fates['elsewhere']:,} driven elsewhere"
            f"{f', {starting:,} not started yet' if starting else ''}. "
            f"As of {clock()}."
            + ("\n\nWaiting; `perdure invoices show KEY` says for what:\n" + "\n".join(parked) if parked else "")
        )
