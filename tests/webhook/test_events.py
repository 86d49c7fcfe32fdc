"""The effects of a valid delivery in Temporal: only our invoices and subscriptions are signalled."""

from __future__ import annotations

from typing import Any

import pytest

from billing.attribution import is_attribution_id
from billing.invoice.key import InvoiceKey
from contracts import search_attributes
from contracts.names import BILLING_QUEUE, Signals, Workflows
from reconciliation.event_types import ENABLED_EVENTS, INVOICE_EVENTS
from tests.webhook.receiver import Receiver, event, exists, invoice_event, new_key, signals


async def test_an_invoice_of_ours_wakes_its_workflow(receiver: Receiver) -> None:
    key = new_key()
    assert await receiver.deliver(invoice_event(key, id="evt_first")) == 200
    handle = receiver.client.get_workflow_handle(f"invoice/{key}")
    found = await handle.describe()
    assert (found.workflow_type, found.task_queue) == (Workflows.INVOICE, BILLING_QUEUE)
    attributes = found.typed_search_attributes
    attribution_id = InvoiceKey.parse(key).attribution_id
    assert attributes[search_attributes.ATTRIBUTION_ID] == attribution_id
    assert attributes[search_attributes.BILLING_PERIOD] == "2022-05"
    assert await found.static_summary() == f"Invoice of {attribution_id} for 2022-05, woken by invoice.finalized"
    assert await signals(handle) == [
        {
            "event_id": "evt_first",
            "type": "invoice.finalized",
            "created": "2022-06-01T00:00:00Z",
            "shows_pause": False,
        }
    ]


async def test_the_signal_is_the_one_that_workflows_await(receiver: Receiver) -> None:
    key = new_key()
    await receiver.deliver(invoice_event(key))
    history = await receiver.client.get_workflow_handle(f"invoice/{key}").fetch_history()
    names = [found.workflow_execution_signaled_event_attributes.signal_name for found in history.events]
    assert Signals.STRIPE_EVENT in names


async def test_the_same_event_twice_wakes_one_workflow(receiver: Receiver) -> None:
    key = new_key()
    delivery = invoice_event(key)
    assert [await receiver.deliver(delivery, age=age) for age in (0, 5)] == [
        200,
        200,
    ]  # signed separately
    handle = receiver.client.get_workflow_handle(f"invoice/{key}")
    assert len(await signals(handle)) == 2
    runs = receiver.client.list_workflows(f'WorkflowId = "invoice/{key}"')
    assert len({run.run_id async for run in runs}) <= 1  # the list can lag


async def test_an_event_of_an_invoice_that_rests_starts_it_again(receiver: Receiver) -> None:
    key = new_key()
    await receiver.deliver(invoice_event(key))
    handle = receiver.client.get_workflow_handle(f"invoice/{key}")
    first = (await handle.describe()).run_id
    await handle.terminate()
    assert await receiver.deliver(invoice_event(key, "invoice.paid")) == 200
    assert (await handle.describe()).run_id != first
    assert [signal["type"] for signal in await signals(handle)] == ["invoice.paid"]


@pytest.mark.parametrize("kind", sorted(INVOICE_EVENTS))
async def test_every_kind_of_invoice_event_is_taken(receiver: Receiver, kind: str) -> None:
    key = new_key()
    assert await receiver.deliver(invoice_event(key, kind)) == 200
    assert await exists(receiver.client, f"invoice/{key}")


async def test_an_invoice_of_a_cancellation(receiver: Receiver) -> None:
    key = new_key().replace("period", "cancellation/sub_1Nx/2")
    assert await receiver.deliver(invoice_event(key)) == 200
    assert await exists(receiver.client, f"invoice/{key}")


@pytest.mark.parametrize("kind", ["created", "updated", "voided"])
async def test_a_credit_note_wakes_its_invoices_sync(receiver: Receiver, kind: str) -> None:
    subject = {"id": "cn_1", "object": "credit_note", "invoice": f"in_{kind}", "metadata": {}}
    assert await receiver.deliver(event(f"credit_note.{kind}", subject)) == 200
    handle = receiver.client.get_workflow_handle(f"credit-notes/in_{kind}")
    assert (await handle.describe()).workflow_type == Workflows.CREDIT_NOTES_SYNC
    assert [signal["type"] for signal in await signals(handle)] == [f"credit_note.{kind}"]


@pytest.mark.parametrize("invoice", [None, 7, "in_1/../x", {"id": "in_1"}])
async def test_a_credit_note_that_names_no_invoice_is_ignored(receiver: Receiver, invoice: object) -> None:
    assert await receiver.deliver(event("credit_note.created", {"id": "cn_1", "invoice": invoice})) == 200
    assert not await exists(receiver.client, "credit-notes/in_1/../x")


@pytest.mark.parametrize(
    ("kind", "subject", "woken"),
    [
        ("charge.refunded", {"id": "ch_whole", "object": "charge"}, "refunds/ch_whole"),
        ("refund.created", {"id": "re_1", "object": "refund", "charge": "ch_part"}, "refunds/ch_part"),
        ("refund.failed", {"id": "re_alone", "object": "refund"}, "refunds/re_alone"),
        ("refund.updated", {"id": "re_balance", "object": "refund", "charge": None}, "refunds/re_balance"),
        ("charge.refund.updated", {"id": "re_1", "object": "refund", "charge": "ch_old"}, "refunds/ch_old"),
    ],
)
async def test_a_refund_wakes_the_sync_of_its_charge(
    receiver: Receiver, kind: str, subject: dict[str, Any], woken: str
) -> None:
    assert await receiver.deliver(event(kind, subject)) == 200
    handle = receiver.client.get_workflow_handle(woken)
    assert (await handle.describe()).workflow_type == Workflows.REFUNDS_SYNC
    assert [signal["type"] for signal in await signals(handle)] == [kind]


@pytest.mark.parametrize("changed", [{"email": None}, {"address": None, "name": "Old"}, {"shipping": None}])
async def test_a_customer_wakes_what_may_wait_for_it(receiver: Receiver, changed: dict[str, Any]) -> None:
    customer = f"cus_{next(iter(changed))}"
    changes = event("customer.updated", {"id": customer, "object": "customer", "email": "person@example.com"})
    changes["data"]["previous_attributes"] = changed
    assert await receiver.deliver(changes) == 200
    handle = receiver.client.get_workflow_handle(f"stripe-customer/{customer}")
    assert (await handle.describe()).workflow_type == Workflows.CUSTOMER_SYNC
    assert "person@" not in str([signal async for signal in _events(handle)])


async def _events(handle: Any) -> Any:
    async for each in handle.fetch_history_events():
        yield each


async def test_other_changes_of_a_customer_are_ignored(receiver: Receiver) -> None:
    changes = event("customer.updated", {"id": "cus_other", "object": "customer", "email": "person@example.com"})
    changes["data"]["previous_attributes"] = {"balance": 0, "metadata": {}}
    assert await receiver.deliver(changes) == 200
    assert not await exists(receiver.client, "stripe-customer/cus_other")


async def test_a_subscription_wakes_its_workflow(receiver: Receiver) -> None:
    subject = {"id": "sub_events", "object": "subscription", "status": "canceled"}
    assert await receiver.deliver(event("customer.subscription.deleted", subject)) == 200
    handle = receiver.client.get_workflow_handle("subscription/sub_events")
    assert (await handle.describe()).workflow_type == Workflows.SUBSCRIPTION
    assert [signal["type"] for signal in await signals(handle)] == ["customer.subscription.deleted"]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"id": "in_1", "customer": "cus_1", "metadata": {}}, id="no metadata of ours"),
        pytest.param({"id": "in_1", "customer": "cus_1", "metadata": None}, id="null metadata"),
        pytest.param({"customer": "cus_1", "metadata": {"perdure_invoice": 5}}, id="a number for a key"),
        pytest.param({"customer": "cus_1", "metadata": ["perdure_invoice"]}, id="a list for metadata"),
    ],
)
async def test_an_invoice_that_is_not_ours_is_foreign(receiver: Receiver, payload: dict[str, Any]) -> None:
    signalled, foreign = await receiver.count("signalled"), await receiver.count("foreign")
    assert await receiver.deliver(event("invoice.finalized", payload)) == 200
    assert (await receiver.count("signalled"), await receiver.count("foreign")) == (signalled, foreign + 1)


@pytest.mark.parametrize("kind", sorted(INVOICE_EVENTS))
async def test_an_invoice_that_says_too_little_is_fetched(receiver: Receiver, kind: str) -> None:
    invoice_id = f"in_{kind.replace('.', '_')}"
    assert await receiver.deliver(event(kind, {"id": invoice_id, "customer": "cus_1"})) == 200
    assert await exists(receiver.client, f"stripe-invoice/{invoice_id}")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(event("invoice.created", {"metadata": {"perdure_invoice": "2022-05/team:x/period"}}), id="draft"),
        pytest.param(event("payout.paid", {"id": "po_1"}), id="another type"),
        pytest.param(event("no\u2028such\n\0type", {"id": "x"}), id="an odd type"),
        pytest.param(event("customer.subscription.created", {"id": None}), id="no subscription id"),
        pytest.param(event("refund.created", {"id": "re_1", "charge": {"id": "ch_1"}}), id="an odd charge"),
        pytest.param(event("customer.subscription.created", {"id": "../sub\n"}), id="an odd subscription id"),
        pytest.param(event("customer.subscription.created", {"id": "\ud800"}), id="half a character"),
        pytest.param({"object": "v2.core.event", "id": "evt_1", "type": "v1.invoice.paid"}, id="a thin event"),
    ],
)
async def test_what_nobody_waits_for_is_ignored(receiver: Receiver, payload: dict[str, Any]) -> None:
    signalled, ignored = await receiver.count("signalled"), await receiver.count("ignored")
    assert await receiver.deliver(payload) == 200
    assert (await receiver.count("signalled"), await receiver.count("ignored")) == (signalled, ignored + 1)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2022-05",
        "2022-05/team:x",
        "2022-05/team:x/",
        "2022-13/team:x/period",
        "0000-05/team:x/period",
        "２０２２-05/team:x/period",
        "2022-05/org x/period",
        "2022-05/:a/period",
        "2022-05/team:x\n/period",
        "2022-05/team:x/period\n",
        "2022-05/team:x/PERIOD",
        "2022-05/team:x/period/../../../etc/passwd",
        "2022-05/team:x/period/a b",
        "2022-05/team:x/period/\x00",
        "2022-05/team:x/period/\ud800",
        "2022-05/team:x/period//2",
        "2022-05/team:x/cancellation/sub_1/2/3",
        "2022-05/team:x/period/" + "s" * 500,
        "../2022-05/team:x/period",
    ],
)
async def test_a_key_of_another_form_is_foreign(receiver: Receiver, key: str) -> None:
    signalled = await receiver.started()
    assert await receiver.deliver(invoice_event(key)) == 200
    assert await receiver.started() == signalled


async def test_the_longest_ids_fit(receiver: Receiver) -> None:
    attribution_id = "user:" + "u" * 128
    assert is_attribution_id(attribution_id)
    key = f"2022-05/{attribution_id}/cancellation/sub_{'s' * 250}/12"
    assert await receiver.deliver(invoice_event(key)) == 200
    assert await exists(receiver.client, f"invoice/{key}")


def test_the_endpoint_is_registered_for_what_is_handled() -> None:
    assert "invoice.finalized" in ENABLED_EVENTS
    assert "customer.subscription.deleted" in ENABLED_EVENTS
    assert len(set(ENABLED_EVENTS)) == len(ENABLED_EVENTS)
