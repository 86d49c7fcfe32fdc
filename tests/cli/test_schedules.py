"""`perdure schedule`, against a real Temporal server."""

from __future__ import annotations

import asyncio

from temporalio.client import Client

from tests.cli.conftest import Perdure
from tests.support.system import new_namespace


async def test_the_monthly_schedule(perdure: Perdure, temporal_client: Client) -> None:
    namespace = (await new_namespace(temporal_client)).namespace
    perdure.settings |= {
        "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": namespace,
    }
    not_set, unreachable = await asyncio.gather(
        perdure("schedule", "pause"),
        perdure("schedule", "list", TEMPORAL_ADDRESS="127.0.0.1:1"),
    )
    assert not_set.error == "there is no schedule yet: `perdure schedule set` creates it"
    assert unreachable.error.startswith("Temporal at 127.0.0.1:1: ")

    made = (await perdure("schedule", "set", "--delay-hours", "8", "--json")).document
    assert (made["id"], made["paused"], made["recent_runs"], made["running"]) == ("billing-monthly", False, [], [])
    assert all(at.endswith("-01T08:00:00.000000Z") for at in made["next_runs"])
    assert made["next_runs"]
    paused = (await perdure("schedule", "pause", "--note", "month end", "--json")).document
    assert paused["paused"]
    assert paused["note"].endswith(": month end")
    resumed = await perdure("schedule", "resume")
    assert resumed.out.startswith("Schedule billing-monthly: active")
    triggered, listed = await perdure("schedule", "trigger"), await perdure("schedule", "list", "--json")
    assert triggered.status == 0
    assert "`perdure period status " in triggered.out
    [run] = listed.document[0]["recent_runs"]
    assert run["workflow_id"].startswith("billing-period/scheduled-")
