"""A campaign against `perdure api`: shots of every family in random order, while good events arrive."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]

from campaigns.attack.api.shots import QUICK, SLOW, Attacker, good_event
from campaigns.attack.gunner import Tally, shoot
from campaigns.attack.shots import CANARY, family_random
from campaigns.attack.target import PERDURE
from devstack import ports
from devstack.processes import Child
from starter.api.content import STRUCTURED
from storage.arrivals.tokens import PREFIX, TokenScope, add_token, make_secret, revoke_token
from storage.postgres.database import Database

_AT_ONCE = 16
_SLOW_SHARE, _SLOW_MOST = 0.03, 250  # more than the API's limit of connections
_WARM_SHARE, _GROWTH_MIB = 0.25, 32.0
_BETWEEN_GOOD_SECONDS = 0.2
_GIVE_UP_SECONDS, _RETRY_SECONDS = 120.0, 0.2
_LOG_LINES = 80
_IN_LOG = ("Traceback", "Logging error", PREFIX, CANARY)


@dataclass
class ApiAttackReport:
    """The findings of a campaign; `memory` is in MiB, after a quarter of the shots and at the end."""

    seed: int
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in (*QUICK, SLOW)})
    memory: list[float] = field(default_factory=list)
    good: int = 0
    breaches: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """The number of shots."""
        return sum(tally.sent for tally in self.tallies.values())


async def attack_api(folder: Path, url: str, api_url: str, requests: int, seed: int) -> ApiAttackReport:
    """Shoot `requests` times at an API of its own.

    Args:
        folder: for its log.
        url: a migrated, empty database, as its owner.
        api_url: the same database as the role of the API.
        requests: the number of shots.
        seed: the same seed repeats the same shots, except for tokens.
    """
    report, db = ApiAttackReport(seed), Database(url)
    try:
        attacker = await _tokens(db)
        async with _running(folder, api_url) as (child, port):
            campaign = _ApiCampaign(report, attacker, child, port)
            await campaign.run(requests)
        await _judge(report, url, folder / "api.log")
    finally:
        await db.close()
    report.breaches += [wrong for tally in report.tallies.values() for wrong in tally.wrong[:3]]
    return report


async def _tokens(db: Database) -> Attacker:
    made = {name: make_secret() for name in ("good", "revoked", "expired")}
    for name, secret in made.items():
        await add_token(db, name, secret, TokenScope.INGEST, by="campaign", expires_at=None)
    await revoke_token(db, "revoked")
    async with db.transaction() as connection:
        await connection.exec_driver_sql(
            "UPDATE api_token SET expires_at = now() - interval '1s' WHERE name = 'expired'"
        )
    return Attacker(made["good"], made["revoked"], made["expired"])


@asynccontextmanager
async def _running(folder: Path, api_url: str) -> AsyncIterator[tuple[Child, int]]:
    listening = ports.listen(ports.HOST)
    port: int = listening.getsockname()[1]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PERDURE_ENVIRONMENT_ONLY": "1",
        "DATABASE_URL": api_url,
    }
    child = Child("the API", [*PERDURE, "api"], folder / "api.log", env=environment, listening=listening)
    try:
        child.start()
        async with aiohttp.ClientSession() as session:
            await child.wait_ready(lambda: _answers(session, port), timeout_seconds=60)
        yield child, port
    finally:
        await child.stop()
        listening.close()


async def _answers(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://{ports.HOST}:{port}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _judge(report: ApiAttackReport, url: str, log: Path) -> None:
    """Compare what the database has with the good events, and read the log."""
    connection = await asyncpg.connect(url)
    try:
        kept = await connection.fetch("SELECT instance_id FROM pending_fact")
    finally:
        await connection.close()
    expected = {f"good-{number}" for number in range(report.good)}
    if {row["instance_id"] for row in kept} != expected or len(kept) != report.good:
        report.breaches.append(f"{len(kept)} facts were let in, {report.good} were good")
    lines = log.read_text(errors="replace").splitlines()
    report.breaches += [f"the log contains {word}: {line[:200]}" for word in _IN_LOG for line in lines if word in line][
        :5
    ]
    if len(lines) > _LOG_LINES:
        report.breaches.append(f"the log has {len(lines)} lines")


class _ApiCampaign:
    def __init__(self, report: ApiAttackReport, attacker: Attacker, child: Child, port: int) -> None:
        self._report, self._attacker, self._child, self._port = report, attacker, child, port
        self._over = False

    async def run(self, requests: int) -> None:
        slow = min(_SLOW_MOST, int(requests * _SLOW_SHARE))
        quick = requests - slow
        order = [(QUICK[n % len(QUICK)], n // len(QUICK)) for n in range(quick)]
        Random(self._report.seed).shuffle(order)
        warm = int(quick * _WARM_SHARE)
        good = asyncio.create_task(self._good())
        try:
            slowly = [asyncio.create_task(self._shoot(SLOW, number)) for number in range(slow)]
            await self._several(order[:warm])
            await asyncio.gather(*slowly)  # memory that slow clients still hold is no leak
            start = self._memory
            await self._several(order[warm:])
        finally:
            self._over = True
            await good
        self._report.memory = [start, self._memory]
        if self._memory - start > _GROWTH_MIB:
            self._report.breaches.append(f"the API's memory grew from {start:.0f} to {self._memory:.0f} MiB")
        if not self._child.running:
            self._report.breaches.append(f"the API {self._child.ended()}")

    @property
    def _memory(self) -> float:
        resident: int = psutil.Process(self._child.pid).memory_info().rss
        return resident / 2**20

    async def _several(self, shots: list[tuple[str, int]]) -> None:
        left = iter(shots)

        async def gunner() -> None:
            for name, number in left:
                await self._shoot(name, number)

        await asyncio.gather(*(gunner() for _ in range(_AT_ONCE)))

    async def _shoot(self, name: str, number: int) -> None:
        shot = getattr(self._attacker, name)(family_random(self._report.seed, name, number))
        tally, label = self._report.tallies[name], f"{name} {number}"
        try:
            answer = await shoot(ports.HOST, self._port, shot)
        except TimeoutError:
            tally.sent += 1
            tally.wrong.append(f"{label}: the connection was kept open")
            return
        tally.note(label, shot, answer)
        if self._attacker.token.encode() in answer:
            tally.wrong.append(f"{label}: the answer reveals the token")

    async def _good(self) -> None:
        """Send good events, each until it is answered with 202."""
        headers = {"Authorization": f"Bearer {self._attacker.token}", "Content-Type": STRUCTURED}
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            while not self._over:
                random = family_random(self._report.seed, "good", self._report.good)
                event = good_event(random, f"good-{self._report.good}")
                if not await self._deliver(session, event):
                    self._report.breaches.append(f"good event {self._report.good} was not accepted")
                    return
                self._report.good += 1
                await asyncio.sleep(_BETWEEN_GOOD_SECONDS)

    async def _deliver(self, session: aiohttp.ClientSession, event: dict[str, object]) -> bool:
        end = asyncio.get_running_loop().time() + _GIVE_UP_SECONDS
        while asyncio.get_running_loop().time() < end:
            try:
                async with session.post(f"http://{ports.HOST}:{self._port}/v1/events", json=event) as answered:
                    if answered.status == 202:
                        return True
            except aiohttp.ClientError:
                pass  # crowded out by slow clients
            await asyncio.sleep(_RETRY_SECONDS)
        return False
