"""Measure claiming a month of more and more instances: what ten times the instances cost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bench.copies import ClaimBench, Cost, claim_bench
from bench.figures import Figure, at_most

PART = "growth"
_TIMES, _TIMES_THE_MEMORY, _MOST_MIB = 11.0, 1.3, 400
_REPEATED = 1_000_000
"""Instances up to which a size is measured in rounds: ten million take a quarter of an hour."""


@dataclass(frozen=True)
class SizeCost:
    """What a month of so many instances costs: medians, and of memory the most."""

    instances: int
    seconds: float
    cpu: float
    floor_cpu: float
    peak_mib: float
    rounds: int


def measure(sizes: Sequence[int], rounds: int) -> list[Figure]:
    """Claim months of these sizes, by the product and by the floor."""
    return asyncio.run(_measure(sorted(sizes), rounds))


async def _measure(sizes: Sequence[int], rounds: int) -> list[Figure]:
    async with claim_bench() as bench:
        costs = [await _size(bench, size, rounds if size <= _REPEATED else 1) for size in sizes]
    figures = [figure for cost in costs for figure in _of_a_size(cost)]
    return figures + [figure for smaller, larger in pairwise(costs) for figure in _between(smaller, larger)]


async def _size(bench: ClaimBench, instances: int, rounds: int) -> SizeCost:
    template = await bench.template(instances)
    floors: list[Cost] = []
    ours: list[Cost] = []
    for _ in range(rounds):
        bare, expected = await bench.run("floor", template)
        cost, claimed = await bench.run("claim", template)
        if claimed != expected:
            raise RuntimeError(f"(claims, microseconds) differ: {claimed} by Perdure, {expected} by the floor")
        floors.append(bare)
        ours.append(cost)
    await bench.drop(template)
    return SizeCost(
        instances=instances,
        seconds=median(each.run.claim_seconds for each in ours),
        cpu=median(each.cpu for each in ours),
        floor_cpu=median(each.cpu for each in floors),
        peak_mib=max(each.run.peak_mib for each in ours),
        rounds=rounds,
    )


def _of_a_size(cost: SizeCost) -> list[Figure]:
    name, note = f"{cost.instances:,} instances", f"median of {cost.rounds}" if cost.rounds > 1 else "one run"
    floor = f"{cost.cpu / cost.floor_cpu:.2f} × the floor's {cost.floor_cpu:,.1f} s"
    return [
        Figure(PART, f"claim {name}", cost.seconds, "s", note=note),
        Figure(PART, f"claim {name}: CPU", cost.cpu, "s of CPU", note=f"with PostgreSQL; {floor}"),
        Figure(PART, f"claim {name}: peak memory", cost.peak_mib, "MiB", at_most(_MOST_MIB)),
    ]


def _between(smaller: SizeCost, larger: SizeCost) -> list[Figure]:
    """Return the growth from a size to another, as if there were ten times the instances."""
    decades = math.log10(larger.instances / smaller.instances)
    name = f"10 times the instances, {smaller.instances:,} to {larger.instances:,}"

    def of_a_decade(less: float, more: float) -> float:
        return float((more / less) ** (1 / decades))

    floor = of_a_decade(smaller.floor_cpu, larger.floor_cpu)
    seconds, cpu = of_a_decade(smaller.seconds, larger.seconds), of_a_decade(smaller.cpu, larger.cpu)
    memory = of_a_decade(smaller.peak_mib, larger.peak_mib)
    return [
        Figure(PART, f"{name}: time", seconds, "×", at_most(_TIMES)),
        Figure(PART, f"{name}: CPU", cpu, "×", at_most(_TIMES), note=f"the floor's: {floor:.1f} ×"),
        Figure(PART, f"{name}: memory", memory, "×", at_most(_TIMES_THE_MEMORY)),
    ]
