"""Measure the console's pages over a billed month: each asked for by one browser, again and again."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from statistics import median
from urllib.parse import urlsplit

import aiohttp
import psutil  # type: ignore[import-untyped]

from bench.commands import billed
from bench.figures import Figure, at_most
from bench.processes import Watch
from bench.scratch import folder
from bench.usage import PERIOD
from devstack import ports
from storage.postgres.database import Database
from storage.totals.days import fill_days

PART = "pages"
_MOST_MS = 200.0
_READY_SECONDS = 60.0
_ACCOUNT = "team:0000017"
_KEY = f"{PERIOD}/{_ACCOUNT}/period"
_PAGES = (
    "/",
    "/waiting",
    "/periods",
    f"/periods/{PERIOD}",
    "/invoices",
    f"/invoices?period={PERIOD}&state=paid",
    f"/invoices/{_KEY}",
    "/accounts",
    f"/accounts/{_ACCOUNT}",
    "/instances/INSTANCE",
    f"/search?q={_KEY}",
    "/sources",
    "/schedules",
    "/audit",
    "/webhook",
    "/decisions",
)


def measure(instances: int, rounds: int) -> list[Figure]:
    """Ask for each page `rounds` times after a first time; the median counts."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    with folder() as scratch:
        async with billed(scratch, instances) as (server, environment):
            db = Database(environment["DATABASE_URL"], 1)
            try:
                await fill_days(db)
            finally:
                await db.close()
            watch = Watch(server.child.pid)
            async with _signed_in(environment) as (browser, address, console):
                return [
                    await _page(
                        watch, console, browser, address + each.replace("INSTANCE", environment["INSTANCE"]), rounds
                    )
                    for each in _PAGES
                ]


@asynccontextmanager
async def _signed_in(
    environment: Mapping[str, str],
) -> AsyncIterator[tuple[aiohttp.ClientSession, str, psutil.Process]]:
    """Yield a browser that has signed in to a console of its own, the console's address, and its process."""
    secret, port = secrets.token_hex(16), ports.reserve()
    given = {**environment, "CONSOLE_PORT": str(port), "CONSOLE_LINK_SECRET": secret}
    child = await asyncio.create_subprocess_exec(sys.executable, "-P", "-m", "starter.cli.main", "console", env=given)
    address = f"http://{ports.HOST}:{port}"
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            await _until_ready(browser, f"{address}/readyz")
            async with browser.get(f"{address}/link", params={"secret": secret}) as answer:
                answer.raise_for_status()
            yield browser, address, psutil.Process(child.pid)
    finally:
        child.terminate()
        await child.wait()


async def _until_ready(browser: aiohttp.ClientSession, page: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        try:
            async with browser.get(page) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the console is not ready")


async def _page(watch: Watch, console: psutil.Process, browser: aiohttp.ClientSession, url: str, rounds: int) -> Figure:
    first, _ = await _once(browser, url)
    before = _cpu_ms(console)
    with watch.watching():
        runs = [await _once(browser, url) for _ in range(rounds)]
    own = (_cpu_ms(console) - before) / rounds
    wall, size = median(each for each, _ in runs), runs[-1][1]
    postgres = watch.costs()["postgres"].cpu_seconds / rounds * 1000
    note = f"at first {first:.0f} ms; CPU {own:.0f} ms, PostgreSQL's {postgres:.0f} ms; {size / 1024:,.0f} KiB"
    return Figure(PART, urlsplit(url)._replace(scheme="", netloc="").geturl(), wall, "ms", at_most(_MOST_MS), note)


def _cpu_ms(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system) * 1000


async def _once(browser: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """Return the milliseconds until the page is there, and its size in bytes."""
    started = time.perf_counter()
    async with browser.get(url) as answer:
        content = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url}: {answer.status}")
    return (time.perf_counter() - started) * 1000, len(content)
