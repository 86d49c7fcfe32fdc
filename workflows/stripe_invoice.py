"""A Stripe invoice that does not tell whose it is."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import search_attributes
    from contracts.events import DeliverWakeUps, PagedWakeUp, WakeUpsDelivered
    from contracts.invoices import StripeEvent, StripeInvoiceSnapshot
    from contracts.links import LinkedInvoice, LinkInvoice, StripeInvoiceId
    from contracts.names import Activities, Signals, Workflows
    from contracts.stripe_events import invoice_wake_up
    from workflows.steps import STEP_FAILED, billing_step, clock, local_step, permanent_reason, stripe_step


@workflow.defn(name=Workflows.STRIPE_INVOICE)
class StripeInvoiceWorkflow:
    """Finds out whose an invoice is: ours, whose workflow it wakes; or an account's; or nobody's that we know.

    Stripe makes invoices for subscriptions without our metadata, and some events give no more than an id.
    """

    @workflow.init
    def __init__(self, ref: StripeInvoiceId) -> None:
        self._ref = ref
        self._news: list[StripeEvent] = []

    @workflow.signal(name=Signals.STRIPE_EVENT, description="Stripe has news of this invoice: it is fetched anew.")
    def stripe_event(self, event: StripeEvent) -> None:
        """Wake up; what the event says is not believed, only looked up."""
        self._news.append(event)

    @workflow.run
    async def run(self, ref: StripeInvoiceId) -> LinkedInvoice:
        """Link it as often as there is news."""
        while True:
            news, self._news = self._news, []
            try:
                linked = await self._link(news)
            except STEP_FAILED as error:
                workflow.set_current_details(f"**Failed** at {clock()}: {permanent_reason(error)}")
                raise
            await workflow.wait_condition(workflow.all_handlers_finished)
            # Nothing may be awaited between this check and the end: a signal in between would be lost.
            if not self._news:
                return linked

    async def _link(self, news: list[StripeEvent]) -> LinkedInvoice:
        workflow.set_current_details(f"Fetching {self._ref.stripe_id} from Stripe, since {clock()}.")
        snapshot = await stripe_step(
            Activities.FIND_STRIPE_INVOICE, self._ref, StripeInvoiceSnapshot, f"Retrieve {self._ref.stripe_id}"
        )
        linked = await local_step(
            Activities.LINK_STRIPE_INVOICE,
            LinkInvoice(snapshot=snapshot),
            LinkedInvoice,
            f"Find out whose {snapshot.stripe_invoice_id} is",
        )
        pairs = [search_attributes.STRIPE_INVOICE_ID.value_set(linked.stripe_invoice_id)]
        if linked.attribution_id is not None:
            pairs.append(search_attributes.ATTRIBUTION_ID.value_set(linked.attribution_id))
        workflow.upsert_search_attributes(pairs)
        if linked.invoice_key is not None:
            await self._wake_ours(linked.invoice_key, news)
            self._say(linked, f"It is our invoice `{linked.invoice_key}`, which was woken.")
        elif linked.attribution_id is not None:
            await self._of_account(linked)
        else:
            workflow.metric_meter().create_counter(
                "perdure_foreign_invoices", "Stripe invoices that were looked up and are not ours"
            ).add(1)
            self._say(linked, "It is no invoice of ours, and of no account of ours: ignored.")
        return linked

    async def _wake_ours(self, key: str, news: list[StripeEvent]) -> None:
        event = news[-1] if news else StripeEvent(event_id="", type="", created=workflow.now())
        target = PagedWakeUp(**invoice_wake_up(event, key).model_dump(), types=[each.type for each in news])
        await billing_step(
            Activities.DELIVER_WAKE_UPS, DeliverWakeUps(wake_ups=[target]), WakeUpsDelivered, f"Wake invoice {key}"
        )

    async def _of_account(self, linked: LinkedInvoice) -> None:
        """Charging usage on the subscription's own invoice begins here."""
        self._say(linked, f"Stripe made it for `{linked.attribution_id}`; it carries no usage of ours.")

    def _say(self, linked: LinkedInvoice, what: str) -> None:
        workflow.set_current_details(f"{linked.stripe_invoice_id}: {what} As of {clock()}; nothing is awaited.")
