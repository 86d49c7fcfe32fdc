"""One customer of Stripe's: what waited for something that it lacked is billed once it has that."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.messages.customers import CustomerRef, CustomerResumed, FindCustomersToAsk, ResumeCustomer
    from contracts.messages.invoices import StripeEvent
    from contracts.names import Activities, Signals, Workflows
    from workflows.steps import STEP_FAILED, billing_step, clock, nothing_was_heard, permanent_reason, show
    from workflows.stripe_sync.customers import ask_about_customers

_WAIT_FIRST, _WAIT_LONGEST = timedelta(seconds=2), timedelta(minutes=2)
_MOST_WAITS = 12


@workflow.defn(name=Workflows.CUSTOMER_SYNC)
class CustomerSyncWorkflow:
    """Bills what waits for a customer, if Stripe says that it lacks nothing now.

    An event only wakes it, and Stripe is asked only if something waits. The periods in which the account waits are run
    for it in order, so that each bills its own usage.
    """

    @workflow.init
    def __init__(self, ref: CustomerRef) -> None:
        self._ref = ref
        self._stripe_changed = True

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Details of this customer changed in Stripe.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; the event's content is not trusted, Stripe is asked."""
        self._stripe_changed = True

    @workflow.run
    async def run(self, ref: CustomerRef) -> CustomerResumed:
        """Ask and bill until no further event has arrived."""
        while True:
            self._stripe_changed = False
            try:
                resumed = await self._resume()
            except STEP_FAILED as error:
                show(f"**Failed** at {clock()}: {permanent_reason(error)}")
                raise
            if await nothing_was_heard(lambda: self._stripe_changed):
                return resumed

    async def _resume(self) -> CustomerResumed:
        ref = self._ref
        show(f"Asking what {ref.stripe_customer_id} has, if something waits for it, since {clock()}.")
        find = FindCustomersToAsk(
            since=workflow.now(),
            waiting=True,
            attribution_id=ref.attribution_id,
            stripe_customer_id=None if ref.attribution_id else ref.stripe_customer_id,
        )
        await ask_about_customers(find)
        started: list[str] = []
        resumed = await self._bill(started)
        first = resumed
        wait, waits = _WAIT_FIRST, 0
        while resumed.waiting and resumed.waiting != [resumed.started] and waits < _MOST_WAITS:
            show(
                f"Periods {', '.join(resumed.waiting)} of `{resumed.attribution_id}` are run in order, since {clock()}."
            )
            await workflow.sleep(wait, summary="Look whether the period has billed its usage")
            if (resumed := await self._bill(started, again=True)).started is None:
                wait, waits = min(wait * 2, _WAIT_LONGEST), waits + 1
        self._say(first, started)
        return first

    async def _bill(self, started: list[str], *, again: bool = False) -> CustomerResumed:
        order = ResumeCustomer(customer=self._ref, started=started, again=again)
        resumed = await billing_step(Activities.RESUME_CUSTOMER, order, CustomerResumed, "Bill what waits for it")
        if resumed.started is not None:
            started.append(resumed.started)
        return resumed

    def _say(self, resumed: CustomerResumed, started: list[str]) -> None:
        what = [*(f"period {period}" for period in started), *resumed.subscriptions]
        if resumed.attribution_id is not None:
            workflow.upsert_search_attributes([search_attributes.ATTRIBUTION_ID.value_set(resumed.attribution_id)])
        billed = f"Billed for it: {', '.join(what)}." if what else "Nothing waits for it, or it lacks something still."
        show(f"{billed} Nothing is awaited since {clock()}.")
