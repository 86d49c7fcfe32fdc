"""The catch-up: reads Stripe's list of events, for what the webhook missed."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.customers import CustomersWoken, FindCustomersToAsk, WakeCustomers
    from contracts.messages.events import (
        CatchUpInput,
        CatchUpResult,
        CursorFound,
        CursorRef,
        DeliverWakeUps,
        EventCursor,
        ListStripeEvents,
        MoveCursor,
        StripeEventsPage,
        WakeUpsDelivered,
    )
    from contracts.names import Activities, Workflows
    from workflows.steps import billing_step, clock, continue_as_new_if_suggested, in_utc, show, stripe_step
    from workflows.stripe_sync.customers import ask_about_customers

_MOST_NOTES = 20


@workflow.defn(name=Workflows.EVENTS_CATCH_UP)
class EventsCatchUpWorkflow:
    """Reads Stripe's events from a stored cursor, oldest first, and wakes the workflows that they concern.

    An event that the webhook delivered too does no harm: an invoice that is already in the event's state is not woken,
    and any other is refreshed once. The cursor moves when a page's wake-ups are delivered, so that an interrupted run
    is repeated from there.
    """

    @workflow.init
    def __init__(self, done: CatchUpInput) -> None:
        self._done = done

    @workflow.run
    async def run(self, done: CatchUpInput) -> CatchUpResult:
        """Read until only events are left that are so new that the webhook may still deliver them."""
        cursor = (await billing_step(Activities.LOAD_EVENT_CURSOR, CursorRef(), CursorFound, "Load the cursor")).cursor
        while True:
            self._say("Reading", cursor)
            page, cursor = await self._page(cursor)
            if not page.more:
                await self._wake_customers()
                self._say("Caught up", cursor)
                return CatchUpResult(**self._done.model_dump(), until=cursor.event_created if cursor else None)
            await continue_as_new_if_suggested(self._done)

    async def _page(self, cursor: EventCursor | None) -> tuple[StripeEventsPage, EventCursor | None]:
        since = f"after {cursor.event_id}" if cursor and cursor.event_id else "from the oldest"
        page = await stripe_step(
            Activities.LIST_STRIPE_EVENTS, ListStripeEvents(cursor=cursor), StripeEventsPage, f"List events {since}"
        )
        if page.lost is not None:
            workflow.logger.warning("%s", page.lost)
        delivered = WakeUpsDelivered(signalled=0, satisfied=0)
        if page.wake_ups or (page.freed_customers and workflow.patched("freed-customers")):
            delivered = await billing_step(
                Activities.DELIVER_WAKE_UPS,
                DeliverWakeUps(wake_ups=page.wake_ups, freed_customers=page.freed_customers),
                WakeUpsDelivered,
                f"Wake {plural(len(page.wake_ups), 'workflow')}, except those already up to date",
            )
        self._count(page, delivered)
        moved = await billing_step(
            Activities.MOVE_EVENT_CURSOR,
            MoveCursor(was=cursor, cursor=page.cursor, deliveries=page.deliveries),
            CursorFound,
            f"Record that everything up to {page.cursor.event_id or 'now'} is delivered",
        )
        return page, moved.cursor

    async def _wake_customers(self) -> None:
        """Ask about the customers for which something waits: no event of theirs is read, and some cause none."""
        if not workflow.patched("waiting-customers"):
            return
        await ask_about_customers(FindCustomersToAsk(since=workflow.now(), waiting=True))
        await billing_step(
            Activities.WAKE_CUSTOMERS, WakeCustomers(), CustomersWoken, "Wake the customers that lack nothing now"
        )

    def _count(self, page: StripeEventsPage, delivered: WakeUpsDelivered) -> None:
        done = self._done
        self._done = CatchUpInput(
            pages=done.pages + 1,
            events=done.events + page.events,
            foreign=done.foreign + page.foreign,
            signalled=done.signalled + delivered.signalled,
            satisfied=done.satisfied + delivered.satisfied,
            notes=[*done.notes, *([page.lost] if page.lost else [])][:_MOST_NOTES],
        )

    def _say(self, what: str, cursor: EventCursor | None) -> None:
        done = self._done
        upto = f"up to {in_utc(cursor.event_created)}" if cursor else "from the oldest event"
        notes = "".join(f"\n\n**{note}**" for note in done.notes)
        show(
            f"{what} {upto}, as of {clock()}. This run: {plural(done.events, 'event')} read, "
            f"{plural(done.signalled, 'workflow')} woken, {plural(done.satisfied, 'invoice')} already up to date, "
            f"{plural(done.foreign, 'foreign event')} ignored.{notes}"
        )
