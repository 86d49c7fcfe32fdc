"""Live and test mode, and unknown keys: the workers adopt nothing that is not theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from activities.stripe import mode as stripe_mode
from activities.stripe.mode import WRONG_MODE_METRIC, mode_of_key
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.events import WakeUp
from contracts.messages.invoices import StripeEvent
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Workflows
from devstack.servers.emulator import EmulatorServer
from settings import SettingsError
from temporal.start import deliver
from tests.support.metrics import metered
from tests.support.system import System, running_system

KEY = "2022-05/team:mode/period"


@pytest.fixture
async def system(
    temporal_client: Client, migrated_database: str, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with running_system(temporal_client, migrated_database, stripe_emulator, tmp_path) as found:
        await found.stop()
        yield found


async def test_an_invoice_of_the_other_mode_is_not_adopted(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_mode, "_PREFIXES", {})  # a key that does not reveal its mode
    system.settings = system.settings.model_copy(update={"stripe_mode": "live"})
    meter = await metered(system)
    await system.start()
    await system.add_account("team:mode", ("2022-05-01", None))
    await system.add_instance("mode", "team:mode", "2022-05-03", "2022-05-04")
    run = await system.start_period()
    blocked = await system.until_state(KEY, InvoiceState.BLOCKED)
    assert "WrongModeError" in str(blocked.blocked_reason)
    assert "livemode False, but STRIPE_MODE is live" in str(blocked.blocked_reason)
    assert await meter.count(WRONG_MODE_METRIC) >= 1
    await run.terminate()


async def test_in_its_own_mode_it_is(system: System) -> None:
    system.settings = system.settings.model_copy(update={"stripe_mode": "test"})
    await system.start()
    await system.add_account("team:own", ("2022-05-01", None))
    await system.add_instance("own", "team:own", "2022-05-03", "2022-05-04")
    await system.run_period()
    assert (await system.invoice("2022-05/team:own/period")).state is InvoiceState.BILLED


async def test_a_key_that_postgres_does_not_know_is_counted_and_rests(system: System) -> None:
    meter = await metered(system)
    await system.start(BILLING_QUEUE)
    event = StripeEvent(event_id="evt_1", type="invoice.paid", created=datetime.now(UTC))
    target = WakeUp(
        workflow=Workflows.INVOICE,
        workflow_id=workflow_ids.invoice(KEY),
        input={"invoice_key": KEY},
        event=event,
        summary="",
    )
    await deliver(system.client, target)
    outcome = await system.client.get_workflow_handle(target.workflow_id).result()
    assert outcome == {"invoice_key": KEY, "state": None}
    assert await meter.count("perdure_unknown_invoices") == 1


@pytest.mark.parametrize(
    ("key", "mode", "starts"),
    [
        ("sk_live_x", "test", False),
        ("rk_live_x", "test", False),
        ("sk_test_x", "live", False),
        ("rk_test_x", "live", False),
        ("sk_test_x", "test", True),
        ("sk_org_x", "live", True),
        ("sk_live_x", None, True),
    ],
)
async def test_a_key_of_the_other_mode_is_not_served_with(
    system: System, key: str, mode: str | None, starts: bool
) -> None:
    system.settings = system.settings.model_copy(update={"stripe_api_key": SecretStr(key), "stripe_mode": mode})
    if starts:
        await system.start(STRIPE_QUEUE)
        return
    with pytest.raises(SettingsError, match=f"a {mode_of_key(key)} key .* but STRIPE_MODE is {mode}"):
        await system.start(STRIPE_QUEUE)
