"""The target: `perdure webhook` in its own process with its own Temporal server, under watch."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil  # type: ignore[import-untyped]
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from campaigns.attack.shots import ACCOUNT, CANARY, OLD_SECRET, PATH, SECRET, event, family_random, sign
from devstack import ports
from devstack.processes import Child
from devstack.servers.temporal import start_headless

_MIB = 1024 * 1024
_GIVE_UP_SECONDS, _RETRY_SECONDS = 60.0, 0.2
_LOG_LINES = 60  # limit for lines that anyone can cause, in a few minutes; each good delivery adds one
_IN_LOG = ("Traceback", "Logging error", "asyncio", SECRET, OLD_SECRET, CANARY)
PERDURE = (sys.executable, "-P", "-m", "starter.cli.main")


@dataclass
class Target:
    """The running webhook."""

    child: Child
    host: str
    port: int
    client: Client
    session: aiohttp.ClientSession
    log: Path
    seed: int
    good: list[str] = field(default_factory=list)
    """Ids of the workflows that good deliveries woke."""
    attempts_lost: int = 0
    """Failed attempts at good deliveries: while the webhook is at its limit of connections they are crowded out."""
    recorded: tuple[bytes, str] = (b"", "")
    """Body and signature of the latest good delivery, as an eavesdropper would have them."""

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        resident: int = psutil.Process(self.child.pid).memory_info().rss
        return resident / _MIB

    async def deliver(self) -> float:
        """Make a good delivery, retried like Stripe's until it is accepted.

        Returns the seconds that it took, or infinity if it was never accepted.
        """
        payload = event(family_random(self.seed, "good", len(self.good)))
        key = payload["data"]["object"]["metadata"]["perdure_invoice"].replace("attacked", "good")
        payload["data"]["object"] = {"id": "in_1", "object": "invoice", "metadata": {"perdure_invoice": key}}
        body = json.dumps(payload).encode()
        self.good.append(f"invoice/{key}")
        start = time.monotonic()
        while time.monotonic() - start < _GIVE_UP_SECONDS:
            self.recorded = body, sign(body)
            if await self._post(*self.recorded):
                return time.monotonic() - start
            self.attempts_lost += 1
            await asyncio.sleep(_RETRY_SECONDS)
        self.good.pop()
        return float("inf")

    async def _post(self, body: bytes, signature: str) -> bool:
        """Post a signed body and return whether it was accepted."""
        try:
            async with self.session.post(self._url(PATH), data=body, headers={"Stripe-Signature": signature}) as answer:
                return answer.status == 200 and await answer.text() == "ok\n"
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def counted(self, name: str) -> float:
        """Return a metric's value."""
        async with self.session.get(self._url("/metrics")) as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))

    async def breaches(self) -> list[str]:
        """Return what should not have happened, according to Temporal, the metrics, the log and the process."""
        if not self.child.running:
            return [f"the webhook {self.child.ended()}: {self.child.tail()}"]
        found = []
        if missing := {workflow async for workflow in self._unlike_good()}:
            found.append(f"workflows are missing, were woken without a good delivery, or twice: {sorted(missing)[:5]}")
        signalled = await self.counted('perdure_webhook_events_total{outcome="signalled"}')
        if signalled != len(self.good):
            found.append(f"{signalled:.0f} deliveries were signaled, but {len(self.good)} were good")
        if unavailable := await self.counted('perdure_webhook_events_total{outcome="unavailable"}'):
            found.append(f"{unavailable:.0f} deliveries were answered 503")
        return found + self._log_breaches()

    async def _unlike_good(self) -> AsyncIterator[str]:
        """Yield workflows that differ from the expected ones, which have one signal each."""
        known = set(self.good)
        for _ in range(1200):  # a minute: Temporal lists new workflows with a delay
            listed = [workflow.id async for workflow in self.client.list_workflows()]
            if known <= set(listed):
                break
            await asyncio.sleep(0.05)
        for name in set(listed) ^ known:
            yield name
        for name in self.good:
            if name not in listed:
                continue
            history = await self.client.get_workflow_handle(name).fetch_history()
            kinds = [found.event_type for found in history.events]
            if kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) != 1:
                yield name

    def _log_breaches(self) -> list[str]:
        lines = self.log.read_text(errors="replace").splitlines()
        others = [line for line in lines if "signalled to invoice/2022-05/team:good-" not in line]
        found = [f"the log contains {word}: {line[:200]}" for word in _IN_LOG for line in others if word in line][:5]
        if len(others) > _LOG_LINES:
            found.append(f"the log has {len(others)} lines about refused requests")
        return found

    def _url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"


@asynccontextmanager
async def running_target(folder: Path, seed: int) -> AsyncIterator[Target]:
    """Run `perdure webhook` in live mode, with two secrets as during a rotation."""
    temporal = await start_headless(folder / "temporal.log")
    listening, log = ports.listen(ports.HOST), folder / "webhook.log"
    port: int = listening.getsockname()[1]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "TEMPORAL_ADDRESS": temporal.address,
        "STRIPE_WEBHOOK_SECRET": f"{OLD_SECRET},{SECRET}",
        "STRIPE_MODE": "live",
        "STRIPE_ACCOUNT": ACCOUNT,
        "WEBHOOK_PORT": str(port),
    }
    child = Child("the webhook", [*PERDURE, "webhook"], log, env=environment, listening=listening)
    try:
        child.start()
        client = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        # A new connection for each delivery, as from Stripe's many senders.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=_GIVE_UP_SECONDS)
        ) as session:
            target = Target(child, ports.HOST, port, client, session, log, seed)
            await child.wait_ready(lambda: _answers(target), timeout_seconds=60)
            yield target
    finally:
        await child.stop()
        listening.close()
        temporal.child.kill()


async def _answers(target: Target) -> bool:
    try:
        async with target.session.get(target._url("/readyz")) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
