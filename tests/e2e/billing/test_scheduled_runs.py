"""Months that the schedule starts run in order, and a batch finishes without invoices that keep failing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import ScheduleBackfill, ScheduleOverlapPolicy

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from contracts import retries, workflow_ids
from contracts.messages.invoices import ApproveInvoice
from contracts.messages.periods import BatchResult
from contracts.names import Updates
from storage.accounts import policies
from temporal.decisions import decide
from temporal.schedules import set_schedule
from tests.support.system import System, at
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS

pytestmark = pytest.mark.waits


@pytest.mark.history("scheduled")
async def test_months_that_are_caught_up_are_claimed_one_after_the_other(system: System) -> None:
    team = "team:scheduled"
    await system.add_account(team, ("2022-03-01", None))
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    for month in ("03", "04"):
        await system.add_instance(f"scheduled-{month}", team, f"2022-{month}-03", f"2022-{month}-04")
    await set_schedule(system.client, "UTC", timedelta(hours=6))
    schedule = system.client.get_schedule_handle(workflow_ids.MONTHLY_SCHEDULE)
    missed = ScheduleBackfill(at("2022-04-01"), at("2022-05-02"), overlap=ScheduleOverlapPolicy.BUFFER_ALL)
    await schedule.backfill(missed)
    keys = [f"2022-{month}/{team}/period" for month in ("03", "04")]
    for key in keys:
        assert (await system.until_state(key, InvoiceState.DRAFT)).amount == DAY_CENTS
    again = ScheduleBackfill(at("2022-05-01"), at("2022-05-02"), overlap=ScheduleOverlapPolicy.BUFFER_ALL)
    await schedule.backfill(again)  # the month waits for an approval: it only gets a signal to run again

    async def three() -> bool:
        query = "WorkflowType = 'ScheduledPeriodWorkflow' AND ExecutionStatus = 'Completed'"
        return len([found async for found in system.client.list_workflows(query)]) == 3

    await until(three)
    for key in keys:
        await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
        await system.until_state(key, InvoiceState.BILLED)
    await schedule.delete()


@pytest.mark.history("impatient")
async def test_a_batch_leaves_what_keeps_failing_to_itself(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "BATCH_PATIENCE", timedelta(seconds=1))
    team = "team:impatient"
    await system.add_account(team, ("2022-05-01", None))
    await system.add_instance("impatient", team, "2022-05-03", "2022-05-04")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    period = await system.start_period()
    batch = system.client.get_workflow_handle(
        workflow_ids.billing_batch(workflow_ids.billing_period("2022-05"), 1), result_type=BatchResult
    )

    async def left() -> BatchResult | None:
        found = [w async for w in system.client.list_workflows(f"WorkflowId = '{batch.id}'")]
        return await batch.result() if found else None

    assert (await until(left)).parked == [f"2022-05/{team}/period"]
    await system.admin("faults", method="DELETE")
    assert (await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)).progress.counts == {"billed": 1}
