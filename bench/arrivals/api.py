"""Measure the API in a separate process, while the sources' worker folds what it accepts."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from bench import usage
from bench.arrivals.product import MeasuredProduct, event, running_product
from bench.figures import Figure, at_least, at_most
from bench.processes import Watch
from bench.scratch import folder
from starter.api.models import MOST_ITEMS

PART = "api"
_LEAST_A_SECOND = 5000
_MOST_CPU_MS = 400  # two cores, 5,000 events a second
_STEADY_A_SECOND, _STEADY_SECONDS, _STEADY_MOST_MS = 500, 10, 100
_CLAIMED = 100_000
_FACTS, _MORE = 10_000, 20
_MOST_MS_AN_INSTANCE = 100
_FIRST = datetime(2021, 1, 1, tzinfo=UTC)
_PARTS = ("api", "sources worker", "postgres")


def measure(events: int) -> list[Figure]:
    """Send `events` in batches of 100, as many in batches of 1,000, then a steady stream of single ones, also while a
    period is claimed; then more facts of instances that have some.
    """
    return asyncio.run(_measure(events))


async def _measure(events: int) -> list[Figure]:
    with folder() as scratch:
        async with running_product(scratch) as product:
            figures = []
            for size in (100, 1000):
                figures += await _flood(product, events, size)
            figures += await _steady(product)
            figures += await _many_facts(product)
            await usage.fill(product.database, _CLAIMED)
            return figures + await _beside_claims(product, scratch)


async def _flood(product: MeasuredProduct, events: int, size: int) -> list[Figure]:
    watch = Watch(os.getpid())
    started = time.perf_counter()
    with watch.watching():
        await product.flood(events, size)
        accepted = time.perf_counter()
        await product.folded()
    seconds = time.perf_counter() - started
    cpu, parts = _cpu(watch, events)
    note, rate = f"batches of {size:,}; load {os.getloadavg()[0]:.1f}", events / seconds
    return [
        Figure(PART, "events, sent to folded", rate, "a second", at_least(_LEAST_A_SECOND), note=note),
        Figure(PART, "events, sent to accepted", events / (accepted - started), "a second", note=note),
        Figure(PART, "CPU of 1,000 events", cpu, "ms", at_most(_MOST_CPU_MS), note=f"{note}: {parts}"),
        Figure(PART, "peak memory, api", watch.costs()["api"].peak_mib, "MiB", note=note),
    ]


def _cpu(watch: Watch, events: int) -> tuple[float, str]:
    """Return the milliseconds that 1,000 events cost all processes but the sender, and those of each in words."""
    spent = {name: 1_000_000 * cost.cpu_seconds / events for name, cost in watch.costs().items() if name in _PARTS}
    return sum(spent.values()), ", ".join(f"{name} {ms:.0f}" for name, ms in spent.items())


async def _steady(product: MeasuredProduct) -> list[Figure]:
    watch = Watch(os.getpid())
    with watch.watching():
        answers = await product.stream(_STEADY_A_SECOND, lambda seconds: seconds < _STEADY_SECONDS)
        await product.folded()
    cpu, parts = _cpu(watch, len(answers))
    note = f"{_STEADY_A_SECOND} single events a second"
    return [
        *_answered(answers, note),
        Figure(PART, "CPU of 1,000 events", cpu, "ms", note=f"{note}: {parts}; load {os.getloadavg()[0]:.1f}"),
    ]


async def _beside_claims(product: MeasuredProduct, scratch: Path) -> list[Figure]:
    """Measure the answers while another process claims a month, by the product's own claim, page after page."""
    command = [sys.executable, "-m", "bench.claim_run", "claim", product.database, (scratch / "reports").as_uri()]
    claim = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    answers = await product.stream(_STEADY_A_SECOND, lambda _: claim.returncode is None)
    said, _ = await claim.communicate()
    if claim.returncode:
        raise RuntimeError(f"the claim ended with {claim.returncode}")
    seconds = float(json.loads(said)["claim_seconds"])
    meanwhile = answers[-max(2, int(_STEADY_A_SECOND * seconds)) :]  # not those while the process started
    await product.folded()
    note = f"while {_CLAIMED:,} instances are claimed in {seconds:.1f} s; load {os.getloadavg()[0]:.1f}"
    return _answered(meanwhile, note)


def _answered(answers: list[float], note: str) -> list[Figure]:
    hundredths = quantiles(answers, n=100)
    p50, p99 = 1000 * hundredths[49], 1000 * hundredths[98]
    return [
        Figure(PART, "answer, median", p50, "ms", note=note),
        Figure(PART, "answer, p99", p99, "ms", at_most(_STEADY_MOST_MS), note=note),
    ]


async def _many_facts(product: MeasuredProduct) -> list[Figure]:
    """Measure one more fact of an instance that changed each hour, and of a thousand instances that started."""

    def change(instance: str, hour: int) -> dict[str, object]:
        data = {"account": "team:1", "quantity": 1 + hour % 2}
        kind = "changed" if hour else "started"
        return event(kind, instance, _FIRST + timedelta(hours=hour), f"{instance}-{hour}", data)

    for first in range(0, _FACTS, MOST_ITEMS):
        await product.send([change("hourly", hour) for hour in range(first, first + MOST_ITEMS)])
    await product.send([change(f"new-{n}", 0) for n in range(MOST_ITEMS)])
    await product.folded()
    one = await _cost_of(product, [[change("hourly", _FACTS + n)] for n in range(_MORE)])
    each = await _cost_of(product, [[change(f"new-{n}", 1) for n in range(MOST_ITEMS)]]) / MOST_ITEMS
    return [
        Figure(
            PART, "CPU of one more fact", one, "ms", at_most(_MOST_MS_AN_INSTANCE),
            note=f"of an instance that has changed {_FACTS:,} times; load {os.getloadavg()[0]:.1f}",
        ),
        Figure(
            PART, "CPU of one more fact", each, "ms", at_most(_MOST_MS_AN_INSTANCE),
            note=f"of each of {MOST_ITEMS:,} instances",
        ),
    ]  # fmt: skip


async def _cost_of(product: MeasuredProduct, requests: list[list[dict[str, object]]]) -> float:
    """Return the milliseconds of CPU that a request costs until it is folded, one after the other."""
    watch = Watch(os.getpid())
    with watch.watching():
        for events in requests:
            await product.send(events)
            await product.folded()
    return _cpu(watch, 1000 * len(requests))[0]
