"""A workflow that waits for long continues as a new run before its history grows too long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.stripe.customer_data import asking
from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice, InvoiceRef, StripeEvent
from contracts.names import Signals, Updates
from devstack.servers.temporal import start_headless
from storage.accounts import policies
from temporal.decisions import decide
from tests.e2e.conftest import requests
from tests.e2e.credits import amount, billed, credit, no_news, until_state
from tests.e2e.subscribers import subscribing
from tests.support.rest import Position, position
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits

_MANY = 200
_EVENTS = 40  # after which Temporal suggests a new run; by default 4096


@pytest.fixture(scope="module")
async def temporal_client(scratch: Path) -> AsyncIterator[Client]:
    """Yield a client of a server that suggests a new run after few events."""
    soon = f"limit.historyCount.suggestContinueAsNew={_EVENTS}"
    extra = ("--dynamic-config-value", soon)
    server = await start_headless(scratch / "temporal-continuing.log", extra=extra)
    try:
        yield await Client.connect(server.address, data_converter=pydantic_data_converter)
    finally:
        server.child.kill()


async def nudged_on(handle: Any, nudge: Callable[[], Awaitable[object]]) -> None:
    """Wake the workflow and let it rest, until it continues as another run.

    It does so only when no work is left, in a task that starts with a long history.
    """
    first = (await handle.describe()).run_id

    async def at_rest() -> Position | None:
        found = await position(handle)
        return found if found and not found.works else None

    for _ in range(_EVENTS):  # each adds several events
        if (await until(at_rest)).run_id != first:
            return
        await nudge()
    raise AssertionError(f"{handle.id} did not continue as another run")


@pytest.mark.history("continued")
async def test_an_invoice_its_period_and_a_credit_note_go_on(system: System) -> None:
    team = "team:continuing"
    invoice = await billed(system, "team:other")
    await no_news(system)
    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1700})
    note = await credit(system, invoice, amount(100))
    await system.add_account(team, ("2022-06-01", None))
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    await system.add_instance("continuing", team, "2022-06-03", "2022-06-04")
    await system.start_period("2022-06")
    key = f"2022-06/{team}/period"
    await system.until_state(key, InvoiceState.DRAFT)
    waiting = system.client.get_workflow_handle(workflow_ids.invoice(key))
    crediting = system.client.get_workflow_handle(workflow_ids.credit_note(note.key))
    event = StripeEvent(event_id="evt_1", type="invoice.updated", created=datetime.now(UTC))

    await nudged_on(waiting, lambda: waiting.signal(Signals.STRIPE_EVENT, event))
    await nudged_on(period_of(system), lambda: period_of(system).signal(Signals.RECHECK, InvoiceRef(invoice_key=key)))
    await nudged_on(crediting, lambda: crediting.signal(Signals.RETRY))
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    await crediting.signal(Signals.RETRY)
    await until_state(system, note.key, CreditNoteState.ISSUED)
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=864, by="ann"))
    await system.until_state(key, InvoiceState.BILLED)
    await period_of(system).result()
    await system.admin("webhook_faults", method="DELETE")


@pytest.fixture
async def many_customers(system: System) -> None:
    """As many accounts as Stripe's customers are listed for, and newer customers that are none of ours.

    Their usage is so little that no invoice is made of it.
    """
    for number in range(_MANY):
        made: Any = await system.stripe.v1.customers.create_async({"email": "billing@example.com"})
        await system.add_account(f"team:{number:03}", ("2022-05-01", None), customer=made.id)
        await system.add_instance(f"i-{number:03}", f"team:{number:03}", "2022-05-03T10:00", "2022-05-03T10:01")
    for _ in range(_MANY // 2):
        await system.stripe.v1.customers.create_async({})


@pytest.mark.usefixtures("many_customers")
@pytest.mark.history("customers-listed")
async def test_a_long_list_of_customers_goes_on_in_another_run(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAGE", 20)
    monkeypatch.setattr(asking, "_PAGES", 1)
    await system.stop()
    system.settings = system.settings.model_copy(update={"collection_method": "send_invoice"})
    await system.start()
    before = len(requests(system))
    handle = await system.start_period("2022-05")
    assert (await handle.result()).progress.blocked_accounts == 0

    first = system.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    events = [event async for event in first.fetch_history_events()]
    assert events[-1].HasField("workflow_execution_continued_as_new_event_attributes")
    assert len(events) < 2 * _EVENTS
    sent = [one["target"] for one in requests(system, before) if one["target"].startswith("/v1/customers?")]
    of_first = [e for e in events if e.activity_task_scheduled_event_attributes.activity_type.name == "list_customers"]
    # The next run begins where the first ended, and neither asks for a page again.
    assert len(set(sent)) == len(sent) > len(of_first) > 1, sent


async def test_a_subscription_that_is_blocked_is_logged_once(system: System, caplog: pytest.LogCaptureFixture) -> None:
    async with subscribing(system) as they:
        subscription = await they.subscribe(await they.customer(attribution_id="team malformed"))
        await they.until_says(subscription, "Blocked")
        handle = they.workflow(subscription)
        await nudged_on(handle, lambda: handle.signal(Signals.RETRY))
        await they.until_says(subscription, "Blocked")
    assert [each.message for each in caplog.records if each.name == "perdure.subscriptions"] == ["subscription blocked"]


def period_of(system: System) -> Any:
    """Return a handle of the period's latest run."""
    return system.client.get_workflow_handle(workflow_ids.billing_period("2022-06"))
