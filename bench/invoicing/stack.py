"""A stack to bill on: `perdure up` with an emulator of its own, whose rate limits can be Stripe's."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from activities.stripe.client import close_stripe_client, make_stripe_client
from bench.scratch import folder
from devstack import ports
from devstack.processes import Child
from devstack.servers.emulator import EmulatorServer

PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")
PERIOD = "2022-05"
API_KEY = "sk_test_bench"
OFF = "off"
RAISED = "200"
"""STRIPE_INVOICES_PER_SECOND where the emulator has no limits: more than the machine can do."""
_INSTANCES_EACH = 4
_UP_SECONDS = 120.0
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "GOGC", "GOMEMLIMIT")


@dataclass(frozen=True)
class BillingStack:
    """A running stack. `values`: those for other shells. `requests`: the emulator's log."""

    scratch: Path
    environment: Mapping[str, str]
    values: Mapping[str, str]
    requests: Path

    def perdure(self, *command: str) -> None:
        """Run a command of Perdure's.

        Raises:
            RuntimeError: it failed.
        """
        run = subprocess.run(
            [*PERDURE, *command],
            check=False,
            env=dict(self.environment),
            cwd=self.scratch,
            capture_output=True,
            text=True,
        )
        if run.returncode:
            raise RuntimeError(f"`perdure {' '.join(command)}`: {run.stdout[-1000:]}{run.stderr[-1000:]}")

    def answers(self) -> list[int]:
        """Return the status of each answer of the emulator to date."""
        return [json.loads(line)["status"] for line in self.requests.read_text().splitlines()]


@contextlib.asynccontextmanager
async def billing_stack(accounts: int, rate_limits: str = OFF) -> AsyncIterator[BillingStack]:
    """Run a stack with accounts whose customers exist in Stripe, and with their usage of a month."""
    with folder() as scratch:
        async with emulator_with_customers(scratch, accounts, rate_limits) as emulator:
            # Its secret must be known before the webhook starts, and its URL is known only then.
            endpoint = await emulator.register_webhook(f"http://{ports.HOST}:9/", {})
            environment = {name: value for name, value in os.environ.items() if name in _INHERITED} | {
                "PERDURE_HOME": str(scratch / "home"),
                "STRIPE_API_KEY": API_KEY,
                "STRIPE_API_BASE": emulator.url,
                "STRIPE_MODE": "test",
                "STRIPE_WEBHOOK_SECRET": endpoint["secret"],
            }
            if rate_limits == OFF:
                environment["STRIPE_INVOICES_PER_SECOND"] = RAISED
            async with _up(scratch, environment):
                given = dotenv_values(scratch / "home" / "env")
                values = {name: value for name, value in given.items() if value}
                await emulator.register_webhook(values["WEBHOOK_URL"], endpoint)
                stack = BillingStack(scratch, environment, values, emulator.request_log)
                for kind in ("accounts", "instances"):
                    await asyncio.to_thread(stack.perdure, kind, "import", str(scratch / f"{kind}.csv"))
                yield stack


@contextlib.asynccontextmanager
async def emulator_with_customers(scratch: Path, accounts: int, rate_limits: str) -> AsyncIterator[EmulatorServer]:
    """Run an emulator with customers, made before limits apply. Write the files of their accounts and their usage."""

    def make(port: int) -> EmulatorServer:
        extra = ("--customers-have-cards", "--rate-limits", limits)
        return EmulatorServer(scratch / "stripe", port, scratch / "stripe.log", API_KEY, dict(os.environ), extra)

    limits = OFF
    emulator = await ports.start_on_a_port(make)
    try:
        _write_files(scratch, await _customers(emulator.url, accounts))
        await emulator.stop()
        limits = rate_limits
        emulator = make(emulator.port)
        await emulator.start()
        yield emulator
    finally:
        await emulator.stop()


@contextlib.asynccontextmanager
async def _up(scratch: Path, environment: Mapping[str, str]) -> AsyncIterator[None]:
    """Run `perdure up` on its own data folder, without any of this shell's settings."""
    env_file = scratch / "home" / "env"
    up = Child("perdure up", [*PERDURE, "up"], scratch / "up.log", env=environment, cwd=scratch)
    up.start()

    async def ready() -> bool:
        return env_file.exists()

    try:
        await up.wait_ready(ready, timeout_seconds=_UP_SECONDS)
        yield
    finally:
        await up.stop(grace_seconds=30)


async def _customers(emulator: str, accounts: int) -> dict[str, str]:
    """Create the customers beforehand: in production they exist from earlier months. Return their ids by account."""
    client = make_stripe_client(API_KEY, emulator)
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


def _write_files(scratch: Path, customers: Mapping[str, str]) -> None:
    with (scratch / "accounts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow("attribution_id stripe_customer_id currency bill_after started ended".split())
        for account, customer in customers.items():
            rows.writerow((account, customer, "usd", "", "2022-04-01T00:00:00Z", ""))
    columns = "id attribution_id workspace_id project_id owner_id workspace_class workspace_type"
    times = "creation_time started_time stopping_time stopped_time"
    with (scratch / "instances.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(f"{columns} {times}".split())
        for number, account in enumerate(customers):
            for which in range(_INSTANCES_EACH):
                day = 1 + (number * 7 + which * 5) % 28
                start, stop = f"2022-05-{day:02d}T08:{which:02d}:00Z", f"2022-05-{day:02d}T17:{number % 60:02d}:30Z"
                what = (f"w-{number}", "p", "user:u", ("default", "xl")[which % 2], "regular")
                rows.writerow((f"i-{number}-{which}", account, *what, start, start, stop, stop))
