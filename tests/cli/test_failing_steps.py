"""What fails, and what no worker takes, is said by the commands that people use first."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from asyncio.subprocess import Process

import pytest
from pydantic import SecretStr

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Activities, Signals
from storage.postgres.roles import OPERATOR
from temporal.pending import StepState, failing_steps, pending_steps
from tests.cli.conftest import Perdure
from tests.support.months import MAY
from tests.support.roles import as_role
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day

pytestmark = pytest.mark.waits

WHEN = r" since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"


async def until_state(system: System, state: StepState, count: int) -> None:
    """Wait until so many steps of the period are in this state."""

    async def there() -> bool:
        found = (await failing_steps(system.client, period=MAY)).steps
        return sum(step.state is state for step in found) == count

    await until(there)


async def waiting_run(perdure: Perdure) -> Process:
    """Start `period run --wait`, whose progress is read from its standard error as it comes."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.cli.main", "period", "run", MAY, "--wait"),
        cwd=perdure.cwd,
        env={**os.environ, **perdure.settings, "DATABASE_URL": as_role(perdure.settings["DATABASE_URL"], OPERATOR)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def until_said(process: Process, pattern: str) -> None:
    """Read the standard error of a process until a line matches."""
    assert process.stderr is not None
    said: list[str] = []
    while line := (await asyncio.wait_for(process.stderr.readline(), GIVE_UP_SECONDS)).decode():
        if re.search(pattern, line):
            return
        said.append(line)
    raise AssertionError(f"{pattern} is nowhere in {said}")


async def with_a_wrong_key(system: System) -> None:
    """Restart the Stripe worker with a key that Stripe does not know."""
    right = system.settings
    await system.stop(STRIPE_QUEUE)
    system.settings = right.model_copy(update={"stripe_api_key": SecretStr("sk_unknown")})
    await system.start(STRIPE_QUEUE)
    system.settings = right


async def test_a_refused_key_is_told_by_the_status_the_invoice_and_the_wait(system: System, perdure: Perdure) -> None:
    perdure.settings["RATE_CARD"] = str(system.settings.rate_card)
    keys = [await one_day(system, f"team:key{number}") for number in (1, 2)]
    await with_a_wrong_key(system)
    handle = await system.start_period(MAY)
    waiting = await waiting_run(perdure)
    await until_state(system, StepState.FAILS, 2)

    status, shown, document, everything, doctor = await asyncio.gather(
        perdure("period", "status", MAY),
        perdure("invoices", "show", keys[0]),
        perdure("period", "status", MAY, "--json"),
        perdure("status", "--json"),
        perdure("doctor", "--json"),
    )

    why = (
        rf"Stripe{WHEN}: Invalid API Key provided: \S+: "
        r"give the Stripe worker a valid STRIPE_API_KEY \(attempt \d (in \d+ s|is due|runs)\)\."
    )
    assert re.search(f"^2 invoices wait for {why}$", status.out, re.MULTILINE), status
    assert re.search(f"^1 invoice waits for {why}$", shown.out, re.MULTILINE), shown
    [group] = document.document["failing"]
    assert (group["workflows"], group["queue"], group["state"], group["kind"]) == (
        *(2, STRIPE_QUEUE, "fails"),
        "StripeCredentials",
    )
    [waits] = [each for each in everything.document_of_failure["waiting"] if each["kind"] == "stripe_key_refused"]
    [step] = [each for each in doctor.document_of_failure if each["check"] == "steps"]
    assert (waits["things"], waits["page"], step["page"]) == (2, *(2 * ("docs/on-call/stripe-key-refused.md",)))
    assert re.search(why, step["text"]), step
    assert re.fullmatch(why.replace(WHEN, "").removesuffix(r"\."), waits["reason"].removeprefix("2 invoices wait for "))

    await until_said(waiting, f"^{MAY}: (2 invoices wait|1 invoice waits) for Stripe since")
    await system.stop(STRIPE_QUEUE)
    await system.start(STRIPE_QUEUE)
    for key in keys:
        await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await handle.terminate("the next attempt is a minute away")
    await asyncio.wait_for(waiting.communicate(), GIVE_UP_SECONDS)


async def test_a_wait_says_that_no_worker_polls_the_queue(system: System, perdure: Perdure) -> None:
    perdure.settings["RATE_CARD"] = str(system.settings.rate_card)
    await one_day(system, "team:away")
    await system.stop(BILLING_QUEUE)
    waits = [await waiting(perdure, *words) for words in (("period", "run", MAY, "--wait"), ("stripe", "catch-up"))]
    period, catch_up = await asyncio.wait_for(asyncio.gather(*map(until_it_complains, waits)), GIVE_UP_SECONDS)
    nobody = "no worker polls it; start `perdure worker --queue billing`"
    assert re.search(f"^{MAY}: 1 run of a period waits for a worker of the queue `billing` since .*: {nobody}", period)
    assert re.search(f"^{workflow_ids.EVENTS_CATCH_UP}: 1 catch-up of Stripe's events waits .*: {nobody}", catch_up)
    status = await perdure("period", "status", MAY)
    assert nobody in status.out, status

    await system.start(BILLING_QUEUE)
    ended = await asyncio.wait_for(asyncio.gather(*(process.communicate() for process in waits)), GIVE_UP_SECONDS)
    assert [process.returncode for process in waits] == [0, 0], ended


async def waiting(perdure: Perdure, *arguments: str) -> Process:
    """Start a command that waits."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.cli.main", *arguments),
        cwd=perdure.cwd,
        env={**os.environ, **perdure.settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def until_it_complains(process: Process) -> str:
    """Return the first line on stderr about a worker."""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if "worker" in line:
            return line
    raise AssertionError("it said nothing of workers")


async def test_a_killed_workers_step_is_told_at_once(system: System, perdure: Perdure) -> None:
    """Long before its heartbeats are missed: the process is of this machine, and no longer there."""
    perdure.settings["RATE_CARD"] = str(system.settings.rate_card)
    key = await one_day(system, "team:killed")
    await system.stop(STRIPE_QUEUE)
    await system.admin(
        "faults", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "slow", "seconds": 30}
    )
    perdure.settings |= {"STRIPE_API_KEY": system.emulator.api_key, "STRIPE_API_BASE": system.emulator.url}
    worker = await waiting(perdure, "worker", "--queue", STRIPE_QUEUE)
    handle = await system.start_period(MAY)
    invoice = [workflow_ids.invoice(key)]

    async def runs_there() -> bool:
        found = await pending_steps(system.client, invoice)
        return [(s.activity, s.worker) for s in found] == [
            (Activities.CREATE_STRIPE_INVOICE, f"{worker.pid}@{socket.gethostname()}")
        ]

    await until(runs_there)
    worker.kill()
    await worker.wait()
    (step,) = await pending_steps(system.client, invoice)
    assert (step.state, step.attempt) == (StepState.LOST, 1)
    shown = await perdure("invoices", "show", key)
    said = f"1 invoice waits for another worker of the queue `stripe`: the worker {step.worker} that ran the step has"
    assert said in shown.out, shown

    await system.start(STRIPE_QUEUE)
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.BILLED
