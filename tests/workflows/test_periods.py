"""A period's run among others: slots, second runs, foreign signals, a period that has not ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from billing.invoice.states import InvoiceState
from billing.periods import BillingPeriod
from contracts import retries, workflow_ids
from contracts.messages.invoices import InvoiceRef
from contracts.messages.periods import BatchInput, BatchResult, Page, PeriodResult
from contracts.names import BILLING_QUEUE, Signals, Workflows
from devstack.servers.emulator import EmulatorServer
from storage.invoices import invoices
from temporal.start import start_period
from tests.support.months import MAY
from tests.support.system import System, running_system
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day

pytestmark = pytest.mark.waits


@pytest.fixture
async def system(
    temporal_client: Client,
    migrated_database: str,
    stripe_emulator: EmulatorServer,
    tmp_path: Path,
) -> AsyncIterator[System]:
    async with running_system(temporal_client, migrated_database, stripe_emulator, tmp_path, page_size=1) as running:
        yield running
        await running.admin("faults", method="DELETE")


async def state_of(system: System, key: str) -> InvoiceState | None:
    record = await invoices.load_invoice(system.db, key)
    return record.state if record else None


async def test_invoices_that_keep_failing_do_not_hold_up_the_batches_behind_them(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_day(system, "team:slot-a")
    await one_day(system, "team:slot-b")
    customer = await system.stripe.v1.customers.create_async({})
    free = await one_day(system, "team:slot-c", customer.id)
    monkeypatch.setattr(retries, "BATCH_PATIENCE", retries.PROGRESS_POLL_FIRST)
    await system.admin("faults", {"match": {"path": "customers"}, "action": "503", "times": None, "stored": False})

    handle = await system.start_period(MAY)
    await system.until_state(free, InvoiceState.BILLED)

    await system.admin("faults", method="DELETE")
    outcome = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert outcome.progress.counts == {"billed": 3}


async def test_a_second_run_bills_what_came_while_the_first_waits_for_an_operator(system: System) -> None:
    bad = await one_day(system, "team:again-bad", "cus_nobody")
    await system.start_period(MAY)
    await system.until_state(bad, InvoiceState.BLOCKED)
    late = await one_day(system, "team:again-late")

    async def billed() -> bool:
        # As an operator would: `perdure period run`, until the existing run has billed it.
        await system.start_period(MAY)
        return await state_of(system, late) is InvoiceState.BILLED

    await until(billed)
    assert await state_of(system, bad) is InvoiceState.BLOCKED


async def test_a_second_run_takes_up_an_invoice_whose_workflow_was_ended(system: System) -> None:
    bad = await one_day(system, "team:ended-bad", "cus_nobody")
    key = await one_day(system, "team:ended")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.DRAFT)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).terminate()
    await system.admin("faults", method="DELETE")
    await system.until_state(bad, InvoiceState.BLOCKED)

    async def billed() -> bool:
        await system.start_period(MAY)
        return await state_of(system, key) is InvoiceState.BILLED

    await until(billed)


async def test_a_batch_is_not_ended_by_the_word_of_a_strangers_invoice(system: System) -> None:
    key = await one_day(system, "team:stranger")
    handle = await system.client.start_workflow(
        Workflows.BILLING_BATCH,
        BatchInput(period=MAY, number=1, page=Page(after="", through="team:stranger")),
        id=workflow_ids.billing_batch(workflow_ids.billing_period(MAY), 1),
        task_queue=BILLING_QUEUE,
        result_type=BatchResult,
        start_signal=Signals.INVOICE_PARKED,
        start_signal_args=[InvoiceRef(invoice_key=f"{MAY}/team:other/period")],
    )
    outcome = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (outcome.invoices, outcome.settled, outcome.parked) == (1, 1, [])
    assert await state_of(system, key) is InvoiceState.BILLED


async def test_a_period_that_is_started_too_early_waits_for_its_end(system: System) -> None:
    await one_day(system, "team:early")
    handle = await system.start_period(str(BillingPeriod.containing(datetime.now(UTC), UTC)))

    async def waits() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return any("has not ended" in activity.last_failure.message for activity in pending)

    await until(waits)
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    await handle.terminate()


async def test_a_run_for_one_account_leaves_the_periods_summary_alone(system: System) -> None:
    from storage.periods.periods import read_summary

    await one_day(system, "team:summary-a")
    await system.run_period(MAY)
    before = await read_summary(system.db, MAY)
    await one_day(system, "team:summary-b")
    handle = await start_period(system.client, MAY, "team:summary-b")
    outcome: PeriodResult = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)

    assert outcome.progress.counts == {"billed": 1}
    assert await read_summary(system.db, MAY) == before
