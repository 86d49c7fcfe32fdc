"""Measure claiming a period and publishing its reports, compared with the floor in the same run."""

from __future__ import annotations

import asyncio
from statistics import median

from bench.copies import ClaimBench, Cost, claim_bench
from bench.figures import Figure, at_most

PART = "claims"
_TIMES_THE_FLOOR = 1.5
_OF_THE_FORMER_FLOOR = 0.5
_MOST_MIB = 400
_WITH_SEGMENTS = 1.5


def measure(instances: int, rounds: int) -> list[Figure]:
    """Measure `rounds` interleaved runs of each kind."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    async with claim_bench() as bench:
        template = await bench.template(instances)
        figures = await _against_floor(bench, template, instances, rounds)
        return figures + await _with_segments(bench, template, instances, rounds)


async def _against_floor(bench: ClaimBench, template: str, instances: int, rounds: int) -> list[Figure]:
    former, floors, ours = [], [], []
    for _ in range(rounds):
        former.append((await bench.run("floor", template, former=True))[0])
        bare, bare_total = await bench.run("floor", template)
        cost, total = await bench.run("publish", template)
        if total != bare_total:
            raise RuntimeError(f"(claims, microseconds) differ: {total} by Perdure, {bare_total} by the floor")
        floors.append(bare)
        ours.append(cost)
    return _figures(
        former, floors, ours, f"{instances:,} instances, {ours[0].run.invoices:,} invoices, median of {rounds}"
    )


def _figures(former: list[Cost], floors: list[Cost], ours: list[Cost], note: str) -> list[Figure]:
    before = median(each.run.claim_seconds for each in former)
    base = median(each.run.claim_seconds for each in floors)
    claim = median(each.run.claim_seconds for each in ours)
    both = median(each.run.claim_seconds + each.run.publish_seconds for each in ours)
    report = median(1000 * each.run.publish_cpu / each.run.invoices for each in ours)
    floor_cpu, cpu = median(each.cpu for each in floors), median(each.cpu for each in ours)
    peak = max(each.run.peak_mib for each in ours)
    return [
        Figure(PART, "the floor until revision 0010", before, "s", note="bare SQL, ids compared instead of their keys"),
        Figure(PART, "the floor: bare SQL", base, "s", note=note),
        Figure(PART, "claim: compute, price, write", claim, "s"),
        Figure(PART, "claim and publish the reports", both, "s"),
        Figure(PART, "claim / floor until 0010", claim / before, "×", at_most(_OF_THE_FORMER_FLOOR)),
        Figure(PART, "claim / floor", claim / base, "×", note="one page after another"),
        Figure(PART, "claim and reports / floor", both / base, "×"),
        Figure(PART, "CPU of the floor until 0010", median(each.cpu for each in former), "s", note="with PostgreSQL"),
        Figure(PART, "CPU of the floor", floor_cpu, "s", note="with PostgreSQL"),
        Figure(PART, "CPU of claim and reports", cpu, "s", note="with PostgreSQL"),
        Figure(PART, "claim and reports / floor, CPU", cpu / floor_cpu, "×", at_most(_TIMES_THE_FLOOR)),
        Figure(PART, "CPU of a report", report, "ms", note="without PostgreSQL; 100 instances"),
        Figure(PART, "peak memory of the process", peak, "MiB", at_most(_MOST_MIB)),
    ]


async def _with_segments(bench: ClaimBench, template: str, instances: int, rounds: int) -> list[Figure]:
    """Measure the same month where one instance in ten changed its class. `template`: the month without segments."""
    with_segments = await bench.template(instances, segmented=True)
    plain, segmented, claims = [], [], 0
    for _ in range(rounds):
        without, plain_total = await bench.run("claim", template)
        cost, total = await bench.run("claim", with_segments)
        if total[1] != plain_total[1]:
            raise RuntimeError(f"microseconds differ: {total[1]} with segments, {plain_total[1]} without")
        plain.append(without)
        segmented.append(cost)
        claims = total[0] - plain_total[0]
    time = median(cost.run.claim_seconds for cost in segmented) / median(cost.run.claim_seconds for cost in plain)
    cpu = median(cost.cpu for cost in segmented) / median(cost.cpu for cost in plain)
    what = "claim with one in ten segmented / without"
    return [
        Figure(PART, what, time, "× the time", at_most(_WITH_SEGMENTS), note=f"{claims:,} more claims"),
        Figure(PART, what, cpu, "× the CPU", at_most(_WITH_SEGMENTS), note="with PostgreSQL"),
    ]
