"""The Stripe worker counts its calls by outcome, next to the metrics of Temporal's SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.stripe.client import CALLS_METRIC, CallResult, result_of
from billing.invoice.states import InvoiceState
from devstack.servers.emulator import EmulatorServer
from tests.monitor.alerts import OF_THE_SDK
from tests.support.metrics import metered
from tests.support.system import System, running_system
from tests.support.until import until


@pytest.fixture
async def system(
    temporal_client: Client, migrated_database: str, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with running_system(temporal_client, migrated_database, stripe_emulator, tmp_path) as found:
        await found.stop()
        yield found


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, CallResult.DONE),
        (400, CallResult.REFUSED),
        (401, CallResult.CREDENTIALS),
        (403, CallResult.CREDENTIALS),
        (404, CallResult.REFUSED),
        (409, CallResult.CONFLICT),
        (429, CallResult.RATE_LIMITED),
        (500, CallResult.FAILED),
        (503, CallResult.FAILED),
    ],
)
def test_what_a_status_means(status: int, result: CallResult) -> None:
    assert result_of(status) is result


async def test_calls_are_counted_by_outcome(system: System) -> None:
    meter = await metered(system)
    await system.admin("faults", {"match": {"path": "invoices"}, "action": "503", "times": 1, "stored": False})
    await system.start()
    await system.add_account("team:calls", ("2022-05-01", None))
    await system.add_instance("calls", "team:calls", "2022-05-03", "2022-05-04")
    await system.run_period()
    assert (await system.invoice("2022-05/team:calls/period")).state is InvoiceState.BILLED

    async def counted() -> bool:  # the SDK gathers its metrics now and then
        return await meter.count(CALLS_METRIC, 'outcome="done"') >= 4

    await until(counted)
    assert await meter.count(CALLS_METRIC, 'outcome="failed"') == 1
    page = await meter.page()
    for name in OF_THE_SDK:
        assert f"{name}{{" in page
