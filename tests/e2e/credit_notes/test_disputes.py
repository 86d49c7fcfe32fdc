"""Disputes of payments for our invoices are recorded and shown; others are left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError

from contracts import workflow_ids
from contracts.messages.events import CatchUpInput
from contracts.names import BILLING_QUEUE, Workflows
from storage.invoices.disputes import DisputeRecord
from tests.e2e.paid_invoices import KEY, paid, perdure_of, recorded, until_status
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.metrics import metered
from tests.support.rest import unheard, until_rested
from tests.support.system import System, at
from tests.support.until import until

pytestmark = pytest.mark.waits

TOTAL = 864


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    async with subscribing(system) as found:
        await system.admin("expire_idempotency_keys", {})  # keys of an earlier test's invoice with the same key
        await found.clock("2022-06-01")
        yield found


@pytest.mark.parametrize("outcome", ["won", pytest.param("lost", marks=pytest.mark.history("disputed"))])
async def test_a_dispute_is_recorded_shown_and_closed(
    system: System, they: Subscribers, tmp_path: Path, outcome: str
) -> None:
    perdure = perdure_of(system, tmp_path)
    stripe_id = await paid(system, they)
    before = (await perdure("invoices", "show", KEY, "--json")).document
    assert before["disputes"] == []
    await they.clock("2022-06-10")
    dispute = await system.admin("disputes", {"invoice": stripe_id, "amount": 500, "reason": "fraudulent"})
    opened = await until_status(system, "needs_response")
    assert opened == DisputeRecord(dispute["id"], 500, "usd", "fraudulent", "needs_response", at("2022-06-10"), None)
    shown = (await perdure("invoices", "show", KEY, "--json")).document
    assert shown["disputes"] == [
        {
            "stripe_dispute_id": dispute["id"],
            "amount": 500,
            "currency": "usd",
            "reason": "fraudulent",
            "status": "needs_response",
            "opened_at": "2022-06-10T00:00:00.000000Z",
            "closed_at": None,
        }
    ]
    assert "paid, disputed" in (await perdure("invoices", "list")).out
    assert (await perdure("period", "status", "2022-05", "--json")).document["disputes"] == 1
    assert "1 open dispute: " in (await perdure("period", "status", "2022-05")).out

    await they.clock("2022-06-20")
    await system.admin(f"disputes/{dispute['id']}/close", {"status": outcome})
    await until_status(system, outcome)
    await until_rested(system)
    assert (await recorded(system))[0].opened_at == at("2022-06-10")
    [listed] = (await perdure("invoices", "list", "--json")).document
    assert (listed["disputes"][0]["status"], listed["state"]) == (outcome, "paid")
    assert f"paid, dispute {outcome}" in (await perdure("invoices", "list")).out
    assert f"Disputed, fraudulent: 5.00 USD, {outcome} ({dispute['id']}" in (await perdure("invoices", "show", KEY)).out
    assert (await perdure("period", "status", "2022-05", "--json")).document["disputes"] == 0


async def test_an_old_event_does_not_open_it_again(system: System, they: Subscribers) -> None:
    """The event `created` arrives after `closed`."""
    stripe_id = await paid(system, they)
    await system.admin(
        "webhook_faults", {"match": {"type": "dispute.created"}, "action": "delay", "seconds": 2, "times": None}
    )
    dispute = await system.admin("disputes", {"invoice": stripe_id})
    await system.admin(f"disputes/{dispute['id']}/close", {"status": "lost"})
    closed = await until_status(system, "lost")
    await until_rested(system)
    assert await recorded(system) == [closed]
    assert closed.amount == TOTAL


async def test_one_that_the_webhook_missed_is_caught_up_with(system: System, they: Subscribers) -> None:
    stripe_id = await paid(system, they)
    await unheard(system)
    dispute = await system.admin("disputes", {"invoice": stripe_id})
    await they.clock("2022-06-05")
    await system.admin(f"disputes/{dispute['id']}/close", {"status": "won"})
    assert await recorded(system) == []
    await system.client.execute_workflow(
        Workflows.EVENTS_CATCH_UP, CatchUpInput(), id=workflow_ids.EVENTS_CATCH_UP, task_queue=BILLING_QUEUE
    )
    found = await until_status(system, "won")
    assert found.opened_at == at("2022-06-01")
    assert isinstance(found.closed_at, datetime)


@pytest.mark.history("disputed-foreign")
async def test_a_dispute_of_something_else_is_counted_and_left_alone(system: System, they: Subscribers) -> None:
    await system.stop()
    meter = await metered(system)
    await system.start()
    customer = await they.customer()
    stripe: Any = system.stripe.v1
    invoice = await stripe.invoices.create_async({"customer": customer, "currency": "usd"})
    await stripe.invoices.add_lines_async(invoice.id, {"lines": [{"amount": 900, "description": "A shirt"}]})
    await stripe.invoices.finalize_invoice_async(invoice.id)
    await stripe.invoices.pay_async(invoice.id, {"payment_method": "pm_card_visa"})
    dispute = await system.admin("disputes", {"invoice": invoice.id})
    handle = system.client.get_workflow_handle(workflow_ids.dispute(dispute["id"]))

    async def there() -> bool:
        try:
            return bool(await handle.describe())
        except RPCError:
            return False

    await until(there)
    assert (await handle.result())["invoice_key"] is None
    assert await meter.count("perdure_foreign_disputes") == 1
