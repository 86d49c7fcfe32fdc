"""The page of metrics: cached, complete, and honest about what cannot be read."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from billing.errors import PerdureError
from devstack import ports
from starter.monitor import gauges, temporal
from starter.monitor import monitor as module
from starter.monitor.gauges import GAUGES, Samples
from temporal.client import connect
from temporal.schedules import pause_schedule, set_audit_schedule
from tests.monitor.scraping import scraper, values
from tests.support.namespaces import new_namespace


class Answering:
    """A part whose answer the test decides."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Exception | Samples = {gauges.PENDING_FACTS: [((), 3.0)]}
        self.waits = asyncio.Event()
        self.waits.set()

    async def __call__(self) -> Samples:
        self.asked += 1
        await self.waits.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_many_scrapes_cost_one() -> None:
    server = Answering()
    async with scraper({"postgres": server}) as scraped:
        pages = await asyncio.gather(*(scraped.scrape() for _ in range(20)))
        assert server.asked == 1
        assert all(values(page, "perdure_pending_facts") == {(): 3} for page in pages)


async def test_what_cannot_be_read_has_no_old_values(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    caplog.set_level("INFO", "perdure.metrics")
    server, other = Answering(), Answering()
    other.answer = {gauges.LAST_SETTLED: [((), 5.0)]}
    async with scraper({"postgres": server, "temporal": other}) as scraped:
        read = values(await scraped.scrape(), "perdure_metrics_read_timestamp_seconds")
        server.answer = PerdureError("cannot connect\nwith a second line")
        for _ in range(3):
            page = await scraped.scrape()
            assert values(page, "perdure_metrics_up") == {("postgres",): 0, ("temporal",): 1}
            assert values(page, "perdure_pending_facts") == {}
            assert values(page, "perdure_last_settled_timestamp_seconds") == {(): 5}
        assert values(page, "perdure_metrics_read_timestamp_seconds")["postgres",] == read["postgres",]
        assert await scraped.get("/readyz") == (503, "away: postgres\n")
        assert (await scraped.get("/healthz"))[0] == 200
        server.answer = {}
        assert await scraped.get("/readyz") == (200, "ok\n")
    assert caplog.messages == ["no metrics from postgres: cannot connect", "metrics from postgres again"]


async def test_a_part_that_hangs_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SECONDS", 0.1)
    server, other = Answering(), Answering()
    server.waits.clear()
    async with scraper({"postgres": server, "temporal": other}) as scraped:
        page = await scraped.scrape()
        assert values(page, "perdure_metrics_up") == {("postgres",): 0, ("temporal",): 1}


async def test_each_gauge_is_served_with_its_help() -> None:
    async with scraper({}) as scraped:
        _, text = await scraped.get("/metrics")
    for gauge in GAUGES:
        assert f"# HELP {gauge.name} {gauge.help}\n" in text
    assert len({gauge.name for gauge in GAUGES}) == len(GAUGES)


async def test_schedules_and_workers(temporal_client: Client) -> None:
    client = await new_namespace(temporal_client)
    state = await set_audit_schedule(client)
    found = await temporal.read(client)
    assert found[gauges.SCHEDULE_SET] == [
        (("billing-monthly",), 0.0),
        (("stripe-events-catch-up",), 0.0),
        (("audit-daily",), 1.0),
    ]
    assert found[gauges.SCHEDULE_PAUSED] == [(("audit-daily",), 0.0)]
    assert found[gauges.SCHEDULE_NEXT] == [(("audit-daily",), state.next_runs[0].timestamp())]
    await pause_schedule(client, "", "audit-daily")
    assert (await temporal.read(client))[gauges.SCHEDULE_PAUSED] == [(("audit-daily",), 1.0)]
    assert found[gauges.POLLERS] == [(("billing",), 0.0), (("stripe",), 0.0), (("sources",), 0.0)]


async def test_temporal_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"{ports.HOST}:{ports.reserve()}")
    client = await connect(lazy=True)

    async def read() -> Samples:
        return await temporal.read(client)

    async with scraper({"temporal": read}) as scraped:
        assert values(await scraped.scrape(), "perdure_metrics_up") == {("temporal",): 0}
