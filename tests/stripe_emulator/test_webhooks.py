from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess, WebhookSink
from tests.support.until import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.waits


async def flushed(emulator: EmulatorProcess, **order: Any) -> None:
    assert await emulator.admin("POST", "flush_webhooks", {"timeout_seconds": 60, **order}) == {"pending": 0}


async def test_events_are_delivered_signed(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    await receiver.register(emulator)
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    await flushed(emulator)
    assert sorted(receiver.types) == sorted(event.type for event in await emulator.events())
    final = next(body for body in receiver.bodies if b'"invoice.finalized"' in body)
    event = stripe.Webhook.construct_event(
        final, receiver.headers[receiver.bodies.index(final)]["Stripe-Signature"], receiver.secret
    )
    assert (event.data.object["id"], event.data.object["status"]) == (draft.id, "open")
    assert (await v1.events.retrieve_async(event.id)).pending_webhooks == 0


async def test_the_signature_is_of_real_time_wherever_the_clock_is(
    emulator: EmulatorProcess, receiver: WebhookSink
) -> None:
    await receiver.register(emulator)
    await emulator.admin("POST", "clock", {"now": "2022-06-01T00:00:00Z"})
    before = int(time.time())
    await emulator.customer()
    await flushed(emulator)
    stamp = int(receiver.headers[0]["Stripe-Signature"].split(",")[0][2:])
    assert before - 30 < stamp <= time.time()  # deliveries within one second have different times
    assert json.loads(receiver.bodies[0])["created"] < 1_700_000_000


async def test_an_endpoint_gets_what_it_asked_for(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    endpoint = await receiver.register(emulator, "invoice.finalized", "customer.deleted")
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    await flushed(emulator)
    assert receiver.types == ["invoice.finalized"]
    await v1.webhook_endpoints.update_async(endpoint.id, {"enabled_events": ["customer.created"]})
    await emulator.customer()
    await flushed(emulator)
    await v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
    await emulator.customer()
    await flushed(emulator)
    assert receiver.types == ["invoice.finalized", "customer.created"]


async def test_the_secret_is_shown_once(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    made = await receiver.register(emulator)
    assert made.secret.startswith("whsec_")
    assert not hasattr(await v1.webhook_endpoints.retrieve_async(made.id), "secret")
    assert [hasattr(one, "secret") for one in (await v1.webhook_endpoints.list_async()).data] == [False]
    assert (await v1.webhook_endpoints.delete_async(made.id)).deleted
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.webhook_endpoints.retrieve_async(made.id)
    assert caught.value.http_status == 404


@pytest.mark.parametrize(
    "wrong", [{"url": "nowhere"}, {"enabled_events": ["invoice.exploded"]}, {"enabled_events": []}]
)
async def test_wrong_endpoints_are_refused(v1: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await v1.webhook_endpoints.create_async({"url": "http://127.0.0.1:9/", "enabled_events": ["*"], **wrong})


async def test_refused_deliveries_come_again(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    await receiver.register(emulator)
    receiver.statuses = [500, 302, 404]
    await emulator.customer()
    await flushed(emulator)
    assert receiver.types == ["customer.created"] * 4
    assert len(set(receiver.bodies)) == 1
    state = (await emulator.admin("GET", "state"))["webhooks"]
    assert state == {"pending": 0, "delivered": 1, "failed_attempts": 3, "given_up": 0}


async def test_a_receiver_that_is_down_gets_everything_later(
    emulator: EmulatorProcess, receiver: WebhookSink, v1: Any
) -> None:
    endpoint = await receiver.register(emulator)
    await v1.webhook_endpoints.update_async(endpoint.id, {"url": "http://127.0.0.1:9/hook"})
    await emulator.customer()

    async def refused() -> bool:
        return bool((await emulator.admin("GET", "state"))["webhooks"]["failed_attempts"])

    await until(refused)
    assert (await emulator.events())[0].pending_webhooks == 1
    assert receiver.types == []
    await v1.webhook_endpoints.update_async(endpoint.id, {"url": receiver.url})
    await flushed(emulator, retry_now=True)
    assert receiver.types == ["customer.created"]


async def test_deliveries_at_a_time_are_bounded(emulator: EmulatorProcess, receiver: WebhookSink) -> None:
    await receiver.register(emulator)
    receiver.held = asyncio.Event()
    await asyncio.gather(*(emulator.customer() for _ in range(60)))

    async def sixteen() -> bool:
        return receiver.busy == 16

    await until(sixteen)
    receiver.held.set()
    await flushed(emulator)
    assert len(receiver.types) == 60
    assert receiver.most_busy == 16


async def test_a_slow_receiver_does_not_slow_the_api(emulator: EmulatorProcess, receiver: WebhookSink) -> None:
    await receiver.register(emulator)
    receiver.held = asyncio.Event()
    await asyncio.wait_for(emulator.customer(), GIVE_UP_SECONDS)
    assert receiver.bodies == []


async def test_deliveries_are_dropped_doubled_and_delayed_by_rule(
    emulator: EmulatorProcess, receiver: WebhookSink
) -> None:
    await receiver.register(emulator)

    async def rule(action: str, **more: Any) -> None:
        order = {"match": {"type": "^customer\\."}, "action": action, **more}
        await emulator.admin("POST", "webhook_faults", order)

    await rule("drop")
    await emulator.customer(name="dropped")
    await flushed(emulator)
    assert receiver.bodies == []
    await rule("double")
    await emulator.customer(name="doubled")
    await flushed(emulator)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[0] == receiver.bodies[1]
    await rule("delay", seconds=0.3)
    start = time.monotonic()
    await emulator.customer(name="delayed")
    await flushed(emulator)
    assert len(receiver.bodies) == 3
    assert time.monotonic() - start >= 0.3


async def test_a_delivery_is_overtaken_by_rule(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    await receiver.register(emulator)
    await emulator.admin(
        "POST", "webhook_faults", {"match": {"type": "customer.created"}, "action": "reorder", "seconds": 60}
    )
    made = await emulator.customer()
    await v1.customers.update_async(made.id, {"name": "new"})
    await flushed(emulator)
    assert receiver.types == ["customer.updated", "customer.created"]


async def test_a_delivery_lies_by_rule_and_is_signed_all_the_same(
    emulator: EmulatorProcess, receiver: WebhookSink, v1: Any
) -> None:
    """The receiver checks every signature."""
    await receiver.register(emulator)
    receiver.statuses = [500]
    lie = {"livemode": True, "api_version": "2099-01-01.future", "account": "acct_other", "data.object.livemode": True}
    rule = {"match": {"type": "customer.created"}, "action": "alter", "set": lie}
    assert (await emulator.admin("POST", "webhook_faults", rule))["set"] == lie
    made = await emulator.customer()
    await flushed(emulator)
    assert receiver.bodies[0] == receiver.bodies[1]
    event = json.loads(receiver.bodies[1])
    assert (event["livemode"], event["api_version"], event["account"]) == (True, "2099-01-01.future", "acct_other")
    assert (event["data"]["object"]["id"], event["data"]["object"]["livemode"]) == (made.id, True)
    assert (await v1.events.retrieve_async(event["id"])).livemode is False
    await emulator.customer()
    await flushed(emulator)
    assert json.loads(receiver.bodies[2])["livemode"] is False


async def test_a_delivery_says_only_which_object_by_rule(
    emulator: EmulatorProcess, receiver: WebhookSink, v1: Any
) -> None:
    await receiver.register(emulator, "customer.updated")
    await emulator.admin("POST", "webhook_faults", {"match": {"type": "^customer"}, "action": "strip", "times": None})
    made = await emulator.customer()
    await v1.customers.update_async(made.id, {"name": "new"})
    await flushed(emulator)
    event = json.loads(receiver.bodies[0])
    assert event["type"] == "customer.updated"
    assert event["data"] == {"object": {"id": made.id, "object": "customer"}}


@pytest.mark.parametrize(
    "wrong", [{"action": "alter"}, {"action": "alter", "set": {}}, {"action": "drop", "set": {"livemode": True}}]
)
async def test_wrong_lies_are_refused(emulator: EmulatorProcess, wrong: dict[str, Any]) -> None:
    assert "set" in (await emulator.admin("POST", "webhook_faults", wrong, status=400))["error"]
