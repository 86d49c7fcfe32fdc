"""Measure claiming a period and publishing its reports, compared with the floor in the same run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg  # type: ignore[import-untyped]

from bench import floor, usage
from bench.claim_run import ClaimRun
from bench.figures import Figure, at_most
from bench.processes import Watch
from bench.scratch import folder
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from storage.postgres.upgrade import upgrade

PART = "claims"
_TIMES_THE_FLOOR = 1.5
_OF_THE_FORMER_FLOOR = 0.5
_MOST_MIB = 400
_GROWTH = 11.0
_WITH_SEGMENTS = 1.5


@dataclass(frozen=True)
class Cost:
    """A run with PostgreSQL's CPU seconds for it."""

    run: ClaimRun
    postgres_cpu: float

    @property
    def cpu(self) -> float:
        """CPU seconds of the run and PostgreSQL together."""
        return self.run.claim_cpu + self.run.publish_cpu + self.postgres_cpu


def measure(instances: int, rounds: int) -> list[Figure]:
    """Measure `rounds` interleaved runs of each kind, and the growth from a fifth to twice the instances."""
    return asyncio.run(_measure(instances, rounds))


async def _measure(instances: int, rounds: int) -> list[Figure]:
    with folder() as scratch:
        user = drop_user()
        place = data_folder(scratch / "postgres", "bench", user)
        server = await ports.start_on_a_port(lambda port: Postgres(place, port, "bench", scratch / "pg.log"))
        try:
            bench = _Bench(server, scratch)
            template = await bench.template(instances)
            figures = await _against_floor(bench, template, instances, rounds)
            figures += await _with_segments(bench, template, instances, rounds)
            return figures + await _growth(bench, instances)
        finally:
            await server.stop()


async def _against_floor(bench: _Bench, template: str, instances: int, rounds: int) -> list[Figure]:
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
        Figure(PART, "claim / floor until 0010", claim / before, "×", *at_most(_OF_THE_FORMER_FLOOR, claim / before)),
        Figure(PART, "claim / floor", claim / base, "×", note="one page after another"),
        Figure(PART, "claim and reports / floor", both / base, "×"),
        Figure(PART, "CPU of the floor until 0010", median(each.cpu for each in former), "s", note="with PostgreSQL"),
        Figure(PART, "CPU of the floor", floor_cpu, "s", note="with PostgreSQL"),
        Figure(PART, "CPU of claim and reports", cpu, "s", note="with PostgreSQL"),
        Figure(
            PART, "claim and reports / floor, CPU", cpu / floor_cpu, "×", *at_most(_TIMES_THE_FLOOR, cpu / floor_cpu)
        ),
        Figure(PART, "CPU of a report", report, "ms", note="without PostgreSQL; 100 instances"),
        Figure(PART, "peak memory of the process", peak, "MiB", *at_most(_MOST_MIB, peak)),
    ]


async def _with_segments(bench: _Bench, template: str, instances: int, rounds: int) -> list[Figure]:
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
        Figure(PART, what, time, "× the time", *at_most(_WITH_SEGMENTS, time), note=f"{claims:,} more claims"),
        Figure(PART, what, cpu, "× the CPU", *at_most(_WITH_SEGMENTS, cpu), note="with PostgreSQL"),
    ]


async def _growth(bench: _Bench, instances: int) -> list[Figure]:
    """Measure ten times the instances. Each size runs twice and the faster run counts: interference only slows down."""
    seconds, cpu = [], []
    for size in (instances // 5, instances * 2):
        template = await bench.template(size)
        costs = [(await bench.run("claim", template))[0] for _ in range(2)]
        seconds.append(min(cost.run.claim_seconds for cost in costs))
        cpu.append(min(cost.cpu for cost in costs))
        await bench.drop(template)
    growth, of_cpu = seconds[1] / seconds[0], cpu[1] / cpu[0]
    note = f"{instances // 5:,} in {seconds[0]:.2f} s, {instances * 2:,} in {seconds[1]:.2f} s"
    return [
        Figure(PART, "10 times the instances", growth, "× the time", *at_most(_GROWTH, growth), note=note),
        Figure(PART, "10 times the instances", of_cpu, "× the CPU", note="with PostgreSQL"),
    ]


class _Bench:
    """Copies of a filled database, so that every run starts from the same state."""

    def __init__(self, server: Postgres, scratch: Path) -> None:
        self._server = server
        self._scratch = scratch
        self._runs = 0

    async def template(self, instances: int, *, segmented: bool = False) -> str:
        """Create a filled database, one in ten of its instances with segments or none, and return its name."""
        name = f"filled_{instances}_{segmented}"
        await self._execute(f'CREATE DATABASE "{name}"')
        await upgrade(self._server.url(name))
        await usage.fill(self._server.url(name), instances, segmented=segmented)
        return name

    async def run(self, mode: str, template: str, *, former: bool = False) -> tuple[Cost, tuple[int, int]]:
        """Run once on a fresh copy. Return the cost, and the number of claims and their microseconds afterwards.

        With `former`, under the constraint until revision 0010.
        """
        self._runs += 1
        name = f"run_{self._runs}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        if former:
            await floor.restore_former_constraint(self._server.url(name))
        await self._execute("CHECKPOINT")
        reports = (self._scratch / name).as_uri()
        watch = Watch(self._server.child.pid)
        with watch.watching():
            command = [sys.executable, "-m", "bench.claim_run", mode, self._server.url(name), reports]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{mode}: {done.stderr[-2000:]}")
        total = await floor.total(self._server.url(name))
        await self.drop(name)
        return Cost(ClaimRun(**json.loads(done.stdout)), watch.costs()["postgres"].cpu_seconds), total

    async def drop(self, name: str) -> None:
        """Drop a database."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server.url(DATABASE))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
