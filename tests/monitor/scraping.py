"""A monitor that serves, and what Prometheus reads of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession
from aiohttp.test_utils import BaseTestServer, TestServer
from prometheus_client.parser import text_string_to_metric_families

from starter.monitor.monitor import Monitor, Read

Sample = tuple[str, Mapping[str, str], float]


def parsed(text: str) -> list[Sample]:
    """Return the samples of a page of metrics."""
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def values(page: list[Sample], name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by its labels' values, these in the order of the labels' names."""
    return {tuple(labels[each] for each in sorted(labels)): value for found, labels, value in page if found == name}


@dataclass
class Scraper:
    """Reads the pages of a server."""

    session: ClientSession
    server: BaseTestServer

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page."""
        async with self.session.get(self.server.make_url(path)) as response:
            return response.status, await response.text()

    async def scrape(self) -> list[Sample]:
        """Return the samples that are served now."""
        status, text = await self.get("/metrics")
        assert status == 200
        return parsed(text)


@asynccontextmanager
async def scraper(parts: Mapping[str, Read]) -> AsyncIterator[Scraper]:
    """Serve a monitor of these parts, and yield what reads it."""
    async with TestServer(Monitor(parts).application()) as server, ClientSession() as session:
        yield Scraper(session, server)
