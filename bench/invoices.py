"""Measure invoices from claimed to billed: the embedded stack in child processes, imports and a run by command."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
from dotenv import dotenv_values

from activities.stripe.client import close_stripe_client, make_stripe_client
from bench.figures import Figure, at_least, at_most
from bench.processes import Watch
from bench.scratch import folder

PART = "invoices"
PERIOD = "2022-05"
INSTANCES_EACH = 4
PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
_UP_SECONDS = 120.0
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "GOGC", "GOMEMLIMIT")


def measure(invoices: int) -> list[Figure]:
    """Bill as many accounts, with one invoice each."""
    with folder() as scratch, _stack(scratch) as (up, environment):
        values = {name: value for name, value in dotenv_values(scratch / "home" / "env").items() if value}
        customers = asyncio.run(_customers(values, invoices))
        _write_files(scratch, customers)
        for kind in ("accounts", "instances"):
            _perdure(environment, scratch, kind, "import", str(scratch / f"{kind}.csv"))
        watch = Watch(up.pid)
        with watch.watching():
            started = time.monotonic()
            _perdure(environment, scratch, "period", "run", PERIOD, "--wait")
            wall = time.monotonic() - started
        settled, seconds = asyncio.run(_settled(values["DATABASE_URL"]))
    if settled != invoices:
        raise RuntimeError(f"only {settled} of {invoices} invoices were billed")
    return _figures(watch, invoices, wall, seconds)


def _figures(watch: Watch, invoices: int, wall: float, seconds: float) -> list[Figure]:
    costs = watch.costs()
    cpu = sum(cost.cpu_seconds for cost in costs.values())
    rate = invoices / seconds
    possible = (os.cpu_count() or 1) * invoices / cpu
    result = [
        Figure(PART, "claimed to billed", rate, "a second", *at_least(25, rate), note=f"{invoices} invoices"),
        Figure(PART, "the cores are good for", possible, "a second", note="if nothing else used them"),
        Figure(PART, "the command `period run --wait`", wall, "s"),
        Figure(PART, "CPU of an invoice, all processes", 1000 * cpu / invoices, "ms"),
    ]
    for name, cost in costs.items():
        result.append(Figure(PART, f"CPU of an invoice, {name}", 1000 * cost.cpu_seconds / invoices, "ms"))
    for name, cost in costs.items():
        limit = at_most(400, cost.peak_mib) if name.endswith("worker") else ("", None)
        result.append(Figure(PART, f"peak memory, {name}", cost.peak_mib, "MiB", *limit))
    return result


@contextlib.contextmanager
def _stack(scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """Run `perdure up` on its own data folder, without any of this shell's settings."""
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED}
    environment = {**kept, "PERDURE_HOME": str(scratch / "home")}
    with (scratch / "up.log").open("wb") as log:
        up = subprocess.Popen([*PERDURE, "up"], env=environment, cwd=scratch, stdout=log, stderr=subprocess.STDOUT)
    try:
        give_up = time.monotonic() + _UP_SECONDS
        while not (scratch / "home" / "env").exists():
            if up.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"`perdure up` did not start: {(scratch / 'up.log').read_text()[-1000:]}")
            time.sleep(0.1)
        yield up, environment
    finally:
        up.terminate()
        try:
            up.wait(30)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def _perdure(environment: dict[str, str], scratch: Path, *command: str) -> None:
    run = subprocess.run(
        [*PERDURE, *command], check=False, env=environment, cwd=scratch, capture_output=True, text=True
    )
    if run.returncode:
        raise RuntimeError(f"`perdure {' '.join(command)}`: {run.stdout[-1000:]}{run.stderr[-1000:]}")


async def _customers(values: dict[str, str], accounts: int) -> dict[str, str]:
    """Create the customers beforehand: in production they exist from earlier months. Return their ids by account."""
    client = make_stripe_client(values["STRIPE_API_KEY"], values["STRIPE_API_BASE"])
    limit = asyncio.Semaphore(10)
    found: dict[str, str] = {}

    async def create(attribution_id: str) -> None:
        async with limit:
            customer = await client.v1.customers.create_async({"metadata": {"attribution_id": attribution_id}})
            found[attribution_id] = customer.id

    try:
        await asyncio.gather(*(create(f"team:bench-{number:05d}") for number in range(accounts)))
    finally:
        await close_stripe_client(client)
    return dict(sorted(found.items()))


def _write_files(scratch: Path, customers: dict[str, str]) -> None:
    with (scratch / "accounts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow("attribution_id stripe_customer_id currency bill_after started ended".split())
        rows.writerows(
            (account, customer, "usd", "", "2022-04-01T00:00:00Z", "") for account, customer in customers.items()
        )
    columns = "id attribution_id workspace_id project_id owner_id workspace_class workspace_type"
    times = "creation_time started_time stopping_time stopped_time"
    with (scratch / "instances.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(f"{columns} {times}".split())
        for number, account in enumerate(customers):
            for which in range(INSTANCES_EACH):
                day = 1 + (number * 7 + which * 5) % 28
                start, stop = f"2022-05-{day:02d}T08:{which:02d}:00Z", f"2022-05-{day:02d}T17:{number % 60:02d}:30Z"
                kind = ("default", "xl")[which % 2]
                rows.writerow(
                    (
                        f"i-{number}-{which}",
                        account,
                        f"w-{number}",
                        "p",
                        "user:u",
                        kind,
                        "regular",
                        start,
                        start,
                        stop,
                        stop,
                    )
                )


async def _settled(url: str) -> tuple[int, float]:
    """Return the number of billed invoices, and the seconds from the first claim to the last settlement."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE state IN ('billed', 'paid')),"
            " extract(epoch FROM max(billed_at) - min(claimed_at))::float8 FROM invoice"
        )
    finally:
        await connection.close()
    return row[0], row[1]
