"""With PAYLOAD_KEYS, Temporal holds nothing readable. Keys rotate and are introduced under running workflows."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory
from temporalio.service import RPCError
from temporalio.worker import Replayer

import settings as product_settings
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import BILLING_QUEUE, Activities, Signals
from devstack.servers.emulator import EmulatorServer
from storage.postgres.upgrade import upgrade
from temporal.payload_codec import PayloadKeyError, data_converter, generate_key
from temporal.schedules import set_schedule
from tests.support.databases import FreshDatabase
from tests.support.months import MAY
from tests.support.system import System, running_system
from tests.support.until import until
from worker import SANDBOX
from workflows.registry import WORKFLOWS

OLD, NEW = generate_key("old"), generate_key("new")
T_OLD, T_NEW = "b2xk", "bmV3"  # base64 of their ids, as JSON has them
OF_THE_SDK = {
    *("seq", "attempt", "activity_id", "activity_type", "complete_time", "backoff", "original_schedule_time"),
    "activation_index",
}


class Sealed:
    """Creates systems with keys, and gives running ones other keys."""

    def __init__(self, client: Client, fresh: FreshDatabase, emulator: EmulatorServer, folder: Path) -> None:
        self._client, self._fresh, self._emulator, self._folder = client, fresh, emulator, folder

    @asynccontextmanager
    async def system(self, keys: str | None, **more: Any) -> AsyncIterator[System]:
        overrides: dict[str, Any] = {"payload_keys": SecretStr(keys)} if keys else {}
        url = await self._fresh(upgrade)
        async with running_system(self._client, url, self._emulator, self._folder, **overrides, **more) as system:
            yield system

    @staticmethod
    async def give(system: System, keys: str, *queues: str) -> None:
        """Restart workers and webhook with these keys."""
        await system.stop()
        given = system.settings.model_dump(exclude={"payload_keys"}, exclude_unset=True)
        system.settings = product_settings.load(**given, payload_keys=SecretStr(keys))
        system.client = await client_with(system, keys)
        system.webhook._client = system.client
        await system.start(*queues)


@pytest.fixture
def sealed(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> Sealed:
    return Sealed(temporal_client, fresh_database, stripe_emulator, tmp_path)


async def client_with(system: System, keys: str) -> Client:
    converter = data_converter(product_settings.load(payload_keys=SecretStr(keys)))
    address = system.client.service_client.config.target_host
    return await Client.connect(address, namespace=system.client.namespace, data_converter=converter)


async def add_usage(system: System, account: str) -> None:
    await system.add_account(account, ("2022-05-01", None))
    await system.add_instance(f"{account}-1", account, "2022-05-03T10:00", "2022-05-04T10:00")


async def attempts(system: System, key: str) -> list[int]:
    """Return the attempts of an invoice workflow's pending `ensure_customer`; empty if there is no workflow yet."""
    try:
        described = await system.client.get_workflow_handle(workflow_ids.invoice(key)).describe()
    except RPCError:
        return []
    pending = described.raw_description.pending_activities
    return [max(one.attempt, 1) for one in pending if one.activity_type.name == Activities.ENSURE_CUSTOMER]


async def histories(system: System, count: int) -> list[WorkflowHistory]:
    """Return every workflow's history, waiting until Temporal lists `count` of them: its list lags behind starts."""

    async def listed() -> list[WorkflowExecution] | None:
        found = [run async for run in system.client.list_workflows()]
        return found if len(found) >= count else None

    return [
        await system.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        for run in await until(listed)
    ]


def payload_keys(history: WorkflowHistory) -> set[str]:
    """Return the key ids of all payloads outside of search attributes; `plain` for unencrypted ones."""
    found: set[str] = set()

    def walk(value: Any, name: str = "") -> None:
        if name in ("searchAttributes", "indexedFields"):
            return
        if isinstance(value, dict):
            if value.get("markerName") == "core_patch":
                # The name of a change of the workflow's code, which passes no codec either.
                own = json.loads(base64.b64decode(value["details"]["patch-data"]["payloads"][0]["data"]))
                assert set(own) == {"id", "deprecated"}
                return
            if value.get("markerName") == "core_local_activity":
                # The SDK's own bookkeeping of a local activity: it passes no codec and contains none of our data.
                own = json.loads(base64.b64decode(value["details"]["data"]["payloads"][0]["data"]))
                assert set(own) <= OF_THE_SDK
                value = {**value, "details": {k: v for k, v in value["details"].items() if k != "data"}}
            if isinstance(value.get("metadata"), dict) and "encoding" in value["metadata"]:
                found.add(value["metadata"].get("encryption-key-id", "plain"))
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(history.to_json()))
    return found


@pytest.mark.waits
async def test_histories_hold_nothing_readable_and_replay(sealed: Sealed) -> None:
    async with sealed.system(OLD) as system:
        await add_usage(system, "team:sealed")
        await system.add_account("team:refused", ("2022-05-01", None), customer="cus_unknown")
        await system.add_instance("refused-1", "team:refused", "2022-05-03T10:00", "2022-05-04T10:00")
        await system.run_period_until_blocked(MAY)
        await system.until_state("2022-05/team:sealed/period", InvoiceState.BILLED)
        blocked = await system.until_state("2022-05/team:refused/period", InvoiceState.BLOCKED)
        assert "cus_unknown" in str(blocked.blocked_reason)  # people read it in the database's listings

        found = await histories(system, 4)
        for history in found:
            assert payload_keys(history) == {T_OLD}, history.workflow_id
            text = history.to_json()
            for hidden in ("cus_unknown", "No such customer", "invoice_key", "Traceback", 'File "', "report_id"):
                assert hidden not in text, (history.workflow_id, hidden)
        converter = data_converter(system.settings)
        replayer = Replayer(workflows=WORKFLOWS, data_converter=converter, workflow_runner=SANDBOX)
        for history in found:
            await replayer.replay_workflow(history)
        # People still see queries and descriptions in plain text, with their key.
        invoice = system.client.get_workflow_handle(workflow_ids.invoice("2022-05/team:refused/period"))
        assert await (await invoice.describe()).static_summary() == "Invoice of team:refused for 2022-05"


@pytest.mark.waits
async def test_a_key_rotates_in_the_middle_of_a_period(sealed: Sealed) -> None:
    async with sealed.system(OLD, queues=(BILLING_QUEUE,)) as system:
        await add_usage(system, "team:rotated")
        await system.start_period(MAY)
        await system.until_state("2022-05/team:rotated/period", InvoiceState.CLAIMED)
        await until(lambda: attempts(system, "2022-05/team:rotated/period"))  # started, so that its summary is sealed
        # Step 1: every process can read the new key. Step 2: every process writes with it.
        await sealed.give(system, f"{OLD},{NEW}", BILLING_QUEUE)
        await sealed.give(system, f"{NEW},{OLD}")
        await system.until_state("2022-05/team:rotated/period", InvoiceState.BILLED)
        used = {key for history in await histories(system, 3) for key in payload_keys(history)}
        assert used == {T_OLD, T_NEW}
        # Step 3 follows after the retention: without the old key, old histories cannot be read.
        late = await client_with(system, NEW)
        invoice = await late.get_workflow_handle(workflow_ids.invoice("2022-05/team:rotated/period")).describe()
        with pytest.raises(PayloadKeyError, match="encrypted with key old"):
            await invoice.static_summary()


@pytest.mark.waits
async def test_workers_without_the_key_wait_for_it(sealed: Sealed) -> None:
    async with sealed.system(OLD, queues=(BILLING_QUEUE,)) as system:
        await add_usage(system, "team:waits")
        handle = await system.start_period(MAY)
        await system.until_state("2022-05/team:waits/period", InvoiceState.CLAIMED)
        await until(lambda: attempts(system, "2022-05/team:waits/period"))
        await sealed.give(system, NEW)  # deployed in the wrong order: the key in use is missing

        async def workflow_task_failed() -> bool:
            history = await handle.fetch_history()
            return any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)

        async def activity_failed() -> bool:
            return any(attempt > 1 for attempt in await attempts(system, "2022-05/team:waits/period"))

        await until(activity_failed)
        await handle.signal(Signals.RUN_AGAIN)
        await until(workflow_task_failed)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await sealed.give(system, f"{NEW},{OLD}")
        await system.until_state("2022-05/team:waits/period", InvoiceState.BILLED)


@pytest.mark.waits
async def test_encryption_is_turned_on_under_running_workflows(sealed: Sealed) -> None:
    async with sealed.system(None, queues=(BILLING_QUEUE,)) as system:
        await add_usage(system, "team:turned-on")
        await system.start_period(MAY)
        await system.until_state("2022-05/team:turned-on/period", InvoiceState.CLAIMED)
        await sealed.give(system, NEW)
        await system.until_state("2022-05/team:turned-on/period", InvoiceState.BILLED)
        assert {key for history in await histories(system, 3) for key in payload_keys(history)} == {"plain", T_NEW}


async def test_setting_the_schedules_again_seals_their_arguments_with_the_new_key(sealed: Sealed) -> None:
    async with sealed.system(OLD, queues=()) as system:
        delay = timedelta(hours=6)

        async def key_of_arguments() -> bytes:
            described = await system.client.get_schedule_handle(workflow_ids.MONTHLY_SCHEDULE).describe()
            (argument,) = described.raw_description.schedule.action.start_workflow.input.payloads
            return argument.metadata["encryption-key-id"]

        await set_schedule(system.client, "UTC", delay)
        assert await key_of_arguments() == b"old"
        system.client = await client_with(system, f"{NEW},{OLD}")
        await set_schedule(system.client, "UTC", delay)
        assert await key_of_arguments() == b"new"
