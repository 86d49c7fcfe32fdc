"""Lets usage arrive, wave by wave, from a product that insists until all of it is committed or accepted."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from campaigns.chaos.arrivals.messages import SENDER, ApiRequest, requests
from campaigns.chaos.arrivals.product import SOURCE, ProductSide
from campaigns.chaos.books import fetch
from campaigns.chaos.stand.live import DATABASE_ERRORS
from campaigns.chaos.stand.stand import Stand
from campaigns.chaos.world import ChaosWorld

_PATIENCE_SECONDS = 60.0
_AT_ONCE = 8
_HASTY_SECONDS = (0.003, 0.02, 0.1)  # gives up before the answer, often after the request was stored
_CALM_SECONDS = 20.0


@dataclass
class Arrivals:
    """The product. `failures`: what was answered otherwise than it must be; `counts`: how often what happened."""

    stand: Stand
    world: ChaosWorld
    seed: int
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _token: str = ""

    def __post_init__(self) -> None:
        assert self.stand.live is not None
        self.product = ProductSide(self.stand.live.product.url(), self.world)
        self._rng = random.Random(f"arrivals {self.seed}")

    async def prepare(self) -> None:
        """Connect the product: fill its database, write `sources.toml`, make a token, and report what is known so far.

        Raises:
            RuntimeError: it could not be connected.
        """
        if self.world.has_source:
            await self._connect()
        status, out, error = await self.stand.perdure("tokens", "create", SENDER, "--scope", "operate", "--json")
        if status != 0:
            raise RuntimeError(f"perdure tokens create: {error}")
        self._token = json.loads(out)["token"]
        await self._send(0)

    async def _connect(self) -> None:
        await self.product.create()
        await self._write(0)
        self.product.write_config(self.stand.folder / "sources.toml")
        for _ in range(200):
            if await fetch(self.stand.postgres.url(), "SELECT name FROM source"):
                return
            await asyncio.sleep(0.1)
        raise RuntimeError("the source was not registered")

    async def deliver(self, wave: int) -> None:
        """Report a wave. When this returns, the product's database has committed, or the API accepted, all of it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(wave))
            group.create_task(self._send(wave))

    async def read(self) -> None:
        """Have the source read, if there is one, as a person would before a correction."""
        if not self.world.has_source:
            return

        async def sync() -> str | None:
            _, out, error = await self.stand.perdure("sources", "sync", SOURCE, "--wait", "--json")
            document = json.loads(out) if out.startswith("{") else {"error": error}
            return None if document["error"] is None else str(document["error"])

        await self._insist("perdure sources sync", sync)

    async def _write(self, wave: int) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(rows: list[tuple[object, ...]]) -> None:
            async def write() -> str | None:
                try:
                    async with asyncio.timeout(_CALM_SECONDS):
                        await self.product.write(rows, self._rng)
                except DATABASE_ERRORS as error:
                    self.counts["writes failed"] += 1
                    return f"{type(error).__name__}: {error}"
                return None

            async with limit:
                await self._insist(f"the product's transaction of wave {wave}", write)

        async with asyncio.TaskGroup() as group:
            for rows in self.product.transactions(wave, self._rng):
                group.create_task(one(rows))

    async def _send(self, wave: int) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"}) as session:

            async def one(request: ApiRequest) -> None:
                hasty = iter(self._rng.sample(_HASTY_SECONDS, self._rng.randrange(3)))

                async def post() -> str | None:
                    return await self._post(session, request, next(hasty, _CALM_SECONDS))

                async with limit:
                    await self._insist(f"a request of wave {wave}", post)

            async with asyncio.TaskGroup() as group:
                for request in requests(self.world, wave, self._rng):
                    group.create_task(one(request))

    async def _post(self, session: aiohttp.ClientSession, request: ApiRequest, seconds: float) -> str | None:
        """Send a request. Returns why it must be sent again, or None."""
        assert self.stand.live is not None
        body, headers = json.dumps(request.body), {"Content-Type": request.media}
        try:
            async with (
                asyncio.timeout(seconds),
                session.post(f"{self.stand.live.api_url}{request.path}", data=body, headers=headers) as response,
            ):
                status, answer = response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.counts["answers lost"] += 1
            return f"{type(error).__name__}: {error}"
        if status >= 500:
            self.counts[f"answers {status}"] += 1
            return f"status {status}: {answer}"
        taken = answer.get("accepted", 0) + answer.get("known", 0)
        if status != 202 or (taken, answer["refused"]) != (request.items, request.refused):
            self.failures.append(f"{request.path}: {request.items} good items, but {status}: {str(answer)[:1000]}")
        self.counts["known"] += answer.get("known", 0)
        return None

    async def _insist(self, what: str, step: Callable[[], Awaitable[str | None]]) -> None:
        """Repeat a step until it returns no reason to."""
        give_up = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while (reason := await step()) is not None:
            if asyncio.get_running_loop().time() > give_up:
                self.failures.append(f"{what}: not done within {_PATIENCE_SECONDS:g} s: {reason}")
                return
            await asyncio.sleep(0.2)
