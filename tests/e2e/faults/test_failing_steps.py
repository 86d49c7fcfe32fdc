"""A step that keeps failing, or that no worker takes, is known by name, reason and time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.service import RPCError, RPCStatusCode

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.holds import StepFailed
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Activities, Signals
from temporal.pending import PendingStep, StepState, failing_steps, pending_steps
from temporal.reported import reported_failures
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day

pytestmark = pytest.mark.waits


async def with_a_wrong_key(system: System) -> None:
    """Restart the Stripe worker with a key that Stripe does not know."""
    right = system.settings
    await system.stop(STRIPE_QUEUE)
    system.settings = right.model_copy(update={"stripe_api_key": SecretStr("sk_unknown")})
    await system.start(STRIPE_QUEUE)
    system.settings = right


async def until_found(system: System, state: StepState, count: int = 1) -> list[PendingStep]:
    """Wait until so many steps of the period are in this state."""

    async def there() -> list[PendingStep] | None:
        steps = [step for step in (await failing_steps(system.client, period=MAY)).steps if step.state is state]
        return steps if len(steps) >= count else None

    return await until(there)


async def test_a_refused_key_is_named_with_its_invoices_and_the_next_attempt(system: System) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    keys = [await one_day(system, f"team:key{number}") for number in (1, 2)]
    await with_a_wrong_key(system)

    handle = await system.start_period(MAY)
    steps = await until_found(system, StepState.FAILS, 2)

    assert {step.workflow_id for step in steps} == {workflow_ids.invoice(key) for key in keys}
    for step in steps:
        assert (step.queue, step.failure_kind) == (STRIPE_QUEUE, "StripeCredentials")
        assert step.activity in (Activities.ENSURE_CUSTOMER, Activities.CREATE_STRIPE_INVOICE)
        assert "give the Stripe worker a valid STRIPE_API_KEY" in (step.failure or "")
        assert step.attempt >= 2
        assert began < step.since < datetime.now(UTC)
        assert step.next_attempt_at is not None
        assert step.next_attempt_at > step.since + timedelta(seconds=30)

    await system.stop(STRIPE_QUEUE)
    await system.start(STRIPE_QUEUE)
    for key in keys:
        await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await handle.terminate("the next attempt is a minute away")


async def test_blocked_invoices_wait_for_a_person_and_are_left_out(system: System) -> None:
    bad = await one_day(system, "team:nobody", customer="cus_nobody")
    await system.start_period(MAY)
    await system.until_state(bad, InvoiceState.BLOCKED)

    async def left_out() -> bool:
        found = await failing_steps(system.client, period=MAY)
        return not found.steps and found.asked_about == found.running == 1  # the period itself

    await until(left_out)


async def test_without_a_worker_the_steps_and_the_workflows_wait_for_one(system: System) -> None:
    key = await one_day(system, "team:away")
    await system.stop(STRIPE_QUEUE)
    handle = await system.start_period(MAY)
    (step,) = await until_found(system, StepState.NOT_TAKEN)
    assert (step.workflow_id, step.queue, step.attempt) == (workflow_ids.invoice(key), STRIPE_QUEUE, 1)
    assert (step.failure, step.worker) == (None, None)

    await system.stop(BILLING_QUEUE)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)

    async def both() -> bool:
        waiting = await pending_steps(system.client, [workflow_ids.invoice(key), "never/started"])
        return [(s.queue, s.activity is None) for s in waiting if s.state is StepState.NOT_TAKEN] == [
            (STRIPE_QUEUE, False),
            (BILLING_QUEUE, True),
        ]

    await until(both)
    await system.start()
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await failing_steps(system.client)).steps == []


async def details_of(system: System, key: str) -> str:
    """Return what the Temporal UI shows of an invoice's workflow; nothing before it was started."""
    handle = system.client.get_workflow_handle(workflow_ids.invoice(key))
    try:
        return str(await handle.query("__temporal_workflow_metadata"))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return ""


async def test_a_workflow_shows_why_its_step_fails_until_it_succeeds(system: System) -> None:
    key = await one_day(system, "team:shown")
    await system.admin("faults", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "503", "times": 3})
    handle = await system.start_period(MAY)

    async def fails() -> bool:
        shown = await details_of(system, key)
        return "Fails since" in shown and "Create the Stripe invoice: 8.64 USD for team:shown" in shown

    await until(fails)
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.BILLED
    assert "Fails since" not in await details_of(system, key)


async def test_claims_stay_while_the_report_store_is_away(system: System, tmp_path: Path) -> None:
    key = await one_day(system, "team:store")
    (tmp_path / "reports").rename(tmp_path / "away")
    handle = await system.start_period(MAY)
    (step,) = await until_found(system, StepState.FAILS)
    assert step.workflow_id == workflow_ids.billing_batch(workflow_ids.billing_period(MAY), 1)
    assert step.activity == Activities.CLAIM_PAGE
    assert "report store" in (step.failure or "")
    assert (await system.invoice(key)).state is InvoiceState.CLAIMED
    (tmp_path / "away").rename(tmp_path / "reports")
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.BILLED


async def test_a_step_of_the_billing_worker_alone_is_shown_too(system: System, tmp_path: Path) -> None:
    keys = [await one_day(system, f"team:{name}") for name in ("store", "sound")]
    month = tmp_path / "reports" / "reports" / MAY
    month.mkdir(parents=True)
    (month / "team:store").write_text("a file where a folder belongs: the store refuses this report alone")
    handle = await system.start_period(MAY)
    await system.until_state(keys[1], InvoiceState.BILLED)

    async def known() -> list[tuple[str, StepFailed]]:
        return await reported_failures(system.client, [workflow_ids.invoice(keys[0]), "never/started"])

    ((workflow_id, failed),) = await until(known)
    assert workflow_id == workflow_ids.invoice(keys[0])
    assert failed.step == Activities.PUBLISH_REPORT
    assert failed.attempt >= 4
    assert "report store" in failed.reason
    assert "Fails since" in await details_of(system, keys[0])
    (month / "team:store").unlink()
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert await reported_failures(system.client, [workflow_ids.invoice(keys[0])]) == []
