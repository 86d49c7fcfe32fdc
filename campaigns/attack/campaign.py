"""A campaign: shots of every family in random order, a few at a time, while good deliveries continue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from campaigns.attack import forgeries, http, signed, slow
from campaigns.attack.gunner import Tally, shoot
from campaigns.attack.shots import Shot, family_random, post
from campaigns.attack.target import Target, running_target

QUICK = {**forgeries.FAMILIES, **signed.FAMILIES, **http.FAMILIES}
REPLAYED = "replayed"
FAMILIES = (*QUICK, REPLAYED, *slow.FAMILIES)

_AT_ONCE = 16
_SLOW_SHARE, _SLOW_MOST = 0.03, 320  # more than the webhook's limit of connections
_WARM_SHARE = 0.25
_GROWTH_MIB = 16.0
_PEAK_MIB = 160.0
_PROMPT_SECONDS, _MEDIAN_SECONDS = 50.0, 10.0  # on a very busy machine; Stripe waits about 20 s
_BETWEEN_GOOD_SECONDS = 0.25


@dataclass
class AttackReport:
    """The findings of a campaign."""

    seed: int
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in FAMILIES})
    memory: list[float] = field(default_factory=list)
    """MiB after a quarter of the shots, at the end, and at the peak."""
    latencies: list[float] = field(default_factory=list)
    """Seconds of each good delivery during the campaign; infinity if it was not accepted."""
    attempts_lost: int = 0
    """Attempts at good deliveries that failed and were repeated."""
    breaches: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """The number of shots."""
        return sum(tally.sent for tally in self.tallies.values())


async def attack(folder: Path, requests: int, seed: int, only: str | None = None) -> AttackReport:
    """Shoot `requests` times. The same seed repeats the same shots, except for the times in signatures."""
    report = AttackReport(seed)
    async with running_target(folder, seed) as target:
        report.latencies.append(await target.deliver())
        await _Campaign(target, report).run(requests, only)
        report.latencies.append(await target.deliver())
        report.breaches += await target.breaches()
        report.attempts_lost = target.attempts_lost
    report.breaches += [wrong for tally in report.tallies.values() for wrong in tally.wrong[:3]]
    late = [seconds for seconds in report.latencies if seconds > _PROMPT_SECONDS]
    if late:
        report.breaches.append(f"{len(late)} good deliveries were not accepted within {_PROMPT_SECONDS:g} s")
    if (median := sorted(report.latencies)[len(report.latencies) // 2]) > _MEDIAN_SECONDS:
        report.breaches.append(f"half of the good deliveries took longer than {median:.1f} s")
    return report


class _Campaign:
    def __init__(self, target: Target, report: AttackReport) -> None:
        self._target, self._report = target, report
        self._peak = 0.0
        self._over = False
        self._eavesdropped = target.recorded

    async def run(self, requests: int, only: str | None) -> None:
        slow_ones = min(_SLOW_MOST, int(requests * _SLOW_SHARE))
        order = Random(self._report.seed)
        quick = iter(list(_plan(order, [*QUICK, REPLAYED], requests - slow_ones, only)))
        background = [asyncio.create_task(self._good()), asyncio.create_task(self._watch())]
        slowly = [asyncio.create_task(self._shoot(*each)) for each in _plan(order, [*slow.FAMILIES], slow_ones, only)]
        warm = int((requests - slow_ones) * _WARM_SHARE)
        try:
            await self._several(quick, warm)
            if requests >= 10_000:  # memory that slow clients still hold is no leak
                await asyncio.gather(*slowly)
            start = self._target.memory
            await self._several(quick, requests)
            await asyncio.gather(*slowly)
        finally:
            self._over = True
            for task in slowly:
                task.cancel()
            await asyncio.gather(*background, *slowly, return_exceptions=True)
        self._judge(start, self._target.memory)

    async def _several(self, shots: Iterator[tuple[str, int]], count: int) -> None:
        left = iter(range(count))

        async def gunner() -> None:
            for _ in left:
                if (each := next(shots, None)) is None:
                    return
                await self._shoot(*each)

        await asyncio.gather(*(gunner() for _ in range(_AT_ONCE)))

    async def _shoot(self, name: str, number: int) -> None:
        shot, tally = self._make(name, number), self._report.tallies[name]
        label = f"{name} {number}"
        try:
            tally.note(label, shot, await shoot(self._target.host, self._target.port, shot))
        except TimeoutError:
            tally.sent += 1
            tally.wrong.append(f"{label}: the connection was kept open")

    def _make(self, name: str, number: int) -> Shot:
        if name == REPLAYED:
            return Shot((post(*self._eavesdropped),), frozenset({"200 ok"}))
        make = QUICK.get(name) or slow.FAMILIES[name]
        return make(family_random(self._report.seed, name, number))

    async def _good(self) -> None:
        while not self._over:
            self._report.latencies.append(await self._target.deliver())
            await asyncio.sleep(_BETWEEN_GOOD_SECONDS)

    async def _watch(self) -> None:
        while self._target.child.running and not self._over:
            self._peak = max(self._peak, self._target.memory)
            await asyncio.sleep(0.05)

    def _judge(self, start: float, end: float) -> None:
        peak = max(self._peak, end)
        self._report.memory = [start, end, peak]
        if end - start > _GROWTH_MIB:
            self._report.breaches.append(f"the webhook's memory grew by {end - start:.0f} MiB, from {start:.0f}")
        if peak - start > _PEAK_MIB:
            self._report.breaches.append(f"the webhook's memory peaked at {peak:.0f} MiB, from {start:.0f}")


def _plan(order: Random, names: list[str], count: int, only: str | None) -> Iterator[tuple[str, int]]:
    """Yield families in random order, all equally often, with the number of the shot within its family."""
    names = [name for name in names if only in (None, name)]
    plan = [(names[n % len(names)], n // len(names)) for n in range(count if names else 0)]
    order.shuffle(plan)
    yield from plan
