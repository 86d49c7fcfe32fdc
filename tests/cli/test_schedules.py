"""`perdure schedule`, against a real Temporal server."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio.client import Client

from tests.cli.conftest import Perdure
from tests.support.namespaces import new_namespace


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


async def test_the_catch_up_with_stripe(perdure: Perdure, temporal_client: Client) -> None:
    perdure.settings |= {
        "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": (await new_namespace(temporal_client)).namespace,
    }
    made = (await perdure("schedule", "set", "--json", EVENTS_CATCH_UP_MINUTES="7")).document["catch_up"]
    assert (made["id"], made["paused"]) == ("stripe-events-catch-up", False)
    first, second = (datetime.fromisoformat(at) for at in made["next_runs"][:2])
    assert second - first == timedelta(minutes=7)
    listed = (await perdure("schedule", "list", "--json")).document
    assert [each["id"] for each in listed] == ["billing-monthly", "stripe-events-catch-up", "audit-daily"]

    paused = (await perdure("schedule", "pause", made["id"], "--note", "Stripe is down", "--json")).document
    assert (paused["id"], paused["paused"]) == (made["id"], True)
    assert not (await perdure("schedule", "list", "--json")).document[0]["paused"]
    assert not (await perdure("schedule", "resume", made["id"], "--json")).document["paused"]
    triggered = (await perdure("schedule", "trigger", made["id"], "--json")).document
    assert triggered["recent_runs"][0]["workflow_id"].startswith("stripe-events-")
    unknown = await perdure("schedule", "trigger", "nightly")
    names = "billing-monthly, stripe-events-catch-up, audit-daily"
    assert unknown.error == f"there is no schedule 'nightly': use one of {names}"


async def test_the_daily_audit(perdure: Perdure, temporal_client: Client) -> None:
    perdure.settings |= {
        "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": (await new_namespace(temporal_client)).namespace,
    }
    made = (await perdure("schedule", "set", "--json")).document["audit"]
    assert (made["id"], made["paused"]) == ("audit-daily", False)
    first, second = (datetime.fromisoformat(at) for at in made["next_runs"][:2])
    assert (first.hour, second - first) == (3, timedelta(days=1))
    assert (await perdure("schedule", "pause", "audit-daily", "--json")).document["paused"]
    assert not (await perdure("schedule", "resume", "audit-daily", "--json")).document["paused"]
    triggered = (await perdure("schedule", "trigger", "audit-daily", "--json")).document
    assert triggered["recent_runs"][0]["workflow_id"].startswith("audit/daily-")
