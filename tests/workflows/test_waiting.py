"""Waits of hours, tested in seconds: Temporal skips the time in which nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from billing.invoice.policy import AccountPolicy, BlockedKind, Finalization
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.periods import PeriodInput, PeriodResult
from contracts.names import BILLING_QUEUE, Signals, Workflows
from devstack.servers.emulator import EmulatorServer
from storage.accounts import policies
from tests.support.months import MAY
from tests.support.system import System, running_system
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits


@pytest.fixture
async def system(
    temporal_client: Client, migrated_database: str, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with running_system(
        temporal_client, migrated_database, stripe_emulator, tmp_path, finalization_poll_seconds=1800
    ) as running:
        yield running
        await running.admin("webhook_faults", method="DELETE")


async def start(skipper: TimeSkipper) -> object:
    return await skipper.client.start_workflow(
        Workflows.BILLING_PERIOD,
        PeriodInput(period=MAY),
        id=workflow_ids.billing_period(MAY),
        task_queue=BILLING_QUEUE,
        result_type=PeriodResult,
    )


async def test_when_no_webhook_comes_stripe_is_asked_after_half_an_hour(system: System) -> None:
    await system.add_account("team:silence", ("2022-05-01", None))
    await system.add_instance("silence-1", "team:silence", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})

    await start(TimeSkipper(system.client))
    invoice = await system.until_state(f"{MAY}/team:silence/period", InvoiceState.BILLED)

    history = await system.client.get_workflow_handle(workflow_ids.invoice(invoice.key)).fetch_history()
    waits = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]
    assert waits == [timedelta(minutes=30)]
    fired = [event.event_type for event in history.events]
    assert EventType.EVENT_TYPE_TIMER_FIRED in fired
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED not in fired


async def test_an_invoice_that_waits_in_stripe_is_refreshed_daily(system: System) -> None:
    await system.add_account("team:held", ("2022-05-01", None))
    await system.add_instance("held-1", "team:held", "2022-05-03T10:00", "2022-05-04T10:00")
    await policies.write_policy(system.db, "team:held", AccountPolicy(finalization=Finalization.GRACE))
    skipper = TimeSkipper(system.client)
    await start(skipper)
    key = f"{MAY}/team:held/period"
    draft = await system.until_state(key, InvoiceState.DRAFT)
    await system.admin("webhook_faults", {"match": {"type": "invoice.updated"}, "action": "drop", "times": None})
    await system.stripe.v1.invoices.update_async(draft.stripe_invoice_id, {"auto_advance": False})
    invoice = system.client.get_workflow_handle(workflow_ids.invoice(key))

    assert await skipper.fast_forward(invoice, timedelta(hours=23, minutes=50))  # the grace ends
    held = await system.until_state(key, InvoiceState.BLOCKED)
    assert held.blocked_kind is BlockedKind.HELD_IN_STRIPE
    await system.stripe.v1.invoices.update_async(draft.stripe_invoice_id, {"auto_advance": True})
    assert await skipper.fast_forward(invoice, timedelta(days=1))
    await system.until_state(key, InvoiceState.BILLED)


async def test_a_period_waits_for_an_hour_for_a_blocked_invoice_and_then_ends(system: System) -> None:
    await system.add_account("team:waits", ("2022-05-01", None), customer="cus_wrong")
    await system.add_instance("waits-1", "team:waits", "2022-05-03T10:00", "2022-05-04T10:00")
    skipper = TimeSkipper(system.client)
    await start(skipper)
    key = f"{MAY}/team:waits/period"
    await system.until_state(key, InvoiceState.BLOCKED)
    period = system.client.get_workflow_handle(workflow_ids.billing_period(MAY), result_type=PeriodResult)

    assert await skipper.fast_forward(period, timedelta(hours=1))

    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:waits"}})
    await system.add_account("team:waits", customer=customer.id)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    outcome = await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    assert outcome.progress.counts == {"billed": 1}
