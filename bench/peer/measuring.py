"""Measure the script and Perdure, billing the same month: how fast, and what is wrong after they were killed."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from activities.stripe.client import close_stripe_client, make_stripe_client
from bench.figures import Figure, at_most
from bench.invoicing.stack import API_KEY, OFF, PERIOD, billing_stack, emulator_with_customers
from bench.peer.script import PeerAccount, PeerBase, PeerUsage
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user

PART = "peer"
KILLS = 4
_WORKERS = ("--queue billing", "--queue stripe")


@dataclass(frozen=True)
class StripeAfter:
    """What Stripe holds after a month of which each customer should have one finalized invoice."""

    twice: int
    missing: int
    left_over: int


@dataclass(frozen=True)
class PeerMonth:
    """A database with the month's usage, and the emulator's address and log."""

    url: str
    stripe: str
    requests: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start the script."""
        return subprocess.Popen([sys.executable, "-m", "bench.peer.script", self.url, self.stripe, API_KEY])


def measure(invoices: int) -> list[Figure]:
    """Bill the month by the script, once in peace and once killed; and by Perdure, killed as often."""
    return asyncio.run(_measure(invoices))


async def _measure(invoices: int) -> list[Figure]:
    async with _month(invoices) as month:
        seconds = await asyncio.to_thread(_in_peace, month)
    async with _month(invoices) as month:
        await asyncio.to_thread(_killed, month, invoices)
        script = await _books(month.stripe, invoices)
    async with billing_stack(invoices, OFF) as stack:
        run = asyncio.create_task(asyncio.to_thread(stack.perdure, "period", "run", PERIOD, "--wait"))
        for moment in _moments(invoices):
            await asyncio.to_thread(_await_requests, stack.requests, moment, lambda: not run.done())
            _kill_workers()
        await run
        ours = await _books(stack.environment["STRIPE_API_BASE"], invoices)
    note = f"{invoices:,} invoices; Perdure's are under Invoices"
    return [
        Figure(PART, "the script: claimed to billed", invoices / seconds, "a second", note=note),
        *_figures("the script", script),
        *_figures("Perdure", ours, strict=True),
    ]


def _figures(name: str, books: StripeAfter, *, strict: bool = False) -> list[Figure]:
    goal = at_most(0) if strict else None
    note = f"killed {KILLS} times" + (", both workers" if strict else ", and run again")
    return [
        Figure(PART, f"{name}: customers billed twice", books.twice, "", goal, note=note),
        Figure(PART, f"{name}: customers not billed", books.missing, "", goal, note=note),
        Figure(PART, f"{name}: drafts left over", books.left_over, "", goal, note=note),
    ]


@asynccontextmanager
async def _month(invoices: int) -> AsyncIterator[PeerMonth]:
    with folder() as scratch:
        place = data_folder(scratch / "postgres", "bench", drop_user())
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            async with emulator_with_customers(scratch, invoices, OFF) as emulator:
                url = server.url(DATABASE).replace("postgresql://", "postgresql+psycopg://")
                await asyncio.to_thread(_fill, url, scratch)
                yield PeerMonth(url, emulator.url, emulator.request_log)
        finally:
            await server.stop()


def _fill(url: str, scratch: Path) -> None:
    engine = create_engine(url)
    PeerBase.metadata.create_all(engine)
    with Session(engine) as session:
        for row in _rows(scratch / "accounts.csv"):
            session.add(PeerAccount(id=row["attribution_id"], customer=row["stripe_customer_id"]))
        session.flush()
        for row in _rows(scratch / "instances.csv"):
            started, stopped = (datetime.fromisoformat(row[at][:19]) for at in ("started_time", "stopping_time"))
            kind, account = row["workspace_class"], row["attribution_id"]
            session.add(
                PeerUsage(id=row["id"], account_id=account, workspace_class=kind, started=started, stopped=stopped)
            )
        session.commit()
    engine.dispose()


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def _in_peace(month: PeerMonth) -> float:
    started = time.perf_counter()
    _require(month.start())
    return time.perf_counter() - started


def _killed(month: PeerMonth, invoices: int) -> None:
    for moment in _moments(invoices):
        run = month.start()
        _await_requests(month.requests, moment, partial(_runs, run))
        run.kill()
        run.wait()
    _require(month.start())


def _runs(run: subprocess.Popen[bytes]) -> bool:
    return run.poll() is None


def _require(run: subprocess.Popen[bytes]) -> None:
    if run.wait():
        raise RuntimeError(f"the script ended with {run.returncode}")


def _moments(invoices: int) -> list[int]:
    """Return after how many requests a kill comes, those that created the customers included.

    An invoice takes four requests: the kills come after the first of them, after the second, and so on.
    """
    return [invoices + 4 * (invoices * number // (KILLS + 1)) + number for number in range(1, KILLS + 1)]


def _await_requests(log: Path, requests: int, going: Callable[[], bool]) -> None:
    """Wait until the emulator has answered as many requests.

    Raises:
        RuntimeError: what makes them ended before.
    """
    while log.read_bytes().count(b"\n") < requests:
        if not going():
            raise RuntimeError(f"the run ended before {requests} requests")
        time.sleep(0.005)


def _kill_workers() -> None:
    """Kill both workers of the stack that this process runs."""
    for process in psutil.Process(os.getpid()).children(recursive=True):
        if any(queue in " ".join(process.cmdline()) for queue in _WORKERS):
            process.kill()


async def _books(stripe_base: str, invoices: int) -> StripeAfter:
    client = make_stripe_client(API_KEY, stripe_base)
    finalized: Counter[str] = Counter()
    drafts = 0
    try:
        listed = await client.v1.invoices.list_async({"limit": 100})
        async for invoice in listed.auto_paging_iter():
            if invoice.status == "draft":
                drafts += 1
            elif invoice.status != "void":
                finalized[str(invoice.customer)] += 1
    finally:
        await close_stripe_client(client)
    twice = sum(count > 1 for count in finalized.values())
    return StripeAfter(twice=twice, missing=invoices - len(finalized), left_over=drafts)
