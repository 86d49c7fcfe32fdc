"""The times of events that a subscription's workflow hears while it lives for long."""

from __future__ import annotations

from temporalio.contrib.pydantic import pydantic_data_converter

from contracts.messages.invoices import StripeEvent
from contracts.messages.subscriptions import ApplySubscription
from contracts.names import Activities, Signals
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at
from tests.support.until import until


async def test_applied_events_date_no_later_ones(system: System, they: Subscribers) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"collection_method": "send_invoice"})
    await system.start()
    await they.clock("2022-05-10")
    subscription = await they.subscribe(await they.customer(attribution_id="team:long"))
    await they.until_windows("team:long", ("2022-05-10", None))
    await system.add_instance("long-1", "team:long", "2022-05-20", "2022-05-21")
    await they.clock("2022-05-25")
    await they.cancel(subscription)
    await they.until_says(subscription, "COLLECTION_METHOD=send_invoice")  # applied; its invoice waits for a person
    before = len(await heard(they, subscription))

    down = {"match": {"method": "GET", "path": "^/v1/subscriptions/"}, "action": "503", "times": None}
    await system.admin("faults", down)
    await hear(they, subscription, "2022-06-20")

    async def fetching() -> bool:
        return bool((await they.workflow(subscription).describe()).raw_description.pending_activities)

    await until(fetching)
    await hear(they, subscription, "2022-06-19")  # what is fetched may be older than this event

    await system.admin("faults", method="DELETE")
    await until_heard(they, subscription, before + 2)
    await they.until_says(subscription, "COLLECTION_METHOD=send_invoice")
    await hear(they, subscription, "2022-06-25")
    times = await until_heard(they, subscription, before + 3)
    first, *later = [each.pause_heard for each in times[before:]]
    assert [first, *later] == [at("2022-06-19"), at("2022-06-19"), at("2022-06-25")]
    assert [each.heard for each in times[before:]] == [first, *later]


async def hear(they: Subscribers, subscription: str, created: str) -> None:
    event = StripeEvent(event_id="evt_1", type="customer.subscription.updated", created=at(created), shows_pause=True)
    await they.workflow(subscription).signal(Signals.STRIPE_EVENT, event)


async def heard(they: Subscribers, subscription: str) -> list[ApplySubscription]:
    """Return what was asked to be applied, in order."""
    history = await they.workflow(subscription).fetch_history()
    scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
    inputs = [each.input.payloads for each in scheduled if each.activity_type.name == Activities.APPLY_SUBSCRIPTION]
    return [(await pydantic_data_converter.decode(each, [ApplySubscription]))[0] for each in inputs]


async def until_heard(they: Subscribers, subscription: str, count: int) -> list[ApplySubscription]:
    async def there() -> list[ApplySubscription] | None:
        found = await heard(they, subscription)
        return found if len(found) >= count else None

    return await until(there)
