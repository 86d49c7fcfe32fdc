"""Measure invoices from claimed to billed: the embedded stack in child processes, imports and a run by command."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

from bench.figures import Figure, at_least, at_most
from bench.invoicing.counts import HistoryCounts, Settled, history_counts, settled, transactions
from bench.invoicing.floor import Floor, measure_floor
from bench.invoicing.stack import OFF, PERIOD, RAISED, BillingStack, billing_stack
from bench.processes import COARSE_SECONDS, ProcessCost, Watch

PART = "invoices"
LIMITED = "invoices, live rate limits"
PARTS = (
    *("temporal server", "billing worker", "stripe worker", "webhook", "emulator", "postgres"),
    *("sources worker", "metrics", "console", "api", "perdure up"),
)
"""The processes whose CPU an invoice is charged for: all that the stack consists of."""
_MOST_CPU_MS, _TIMES_THE_FLOOR, _LEAST_A_SECOND, _MOST_MIB = 60, 1.45, 30, 400
_MOST_EVENTS, _MOST_TASKS, _MOST_ACTIVITIES, _MOST_TRANSACTIONS = 16, 2, 1, 4
_MOST_REFUSED = 1


@dataclass(frozen=True)
class MonthRun:
    """One run of a month. `transactions`: PostgreSQL's. `answers`: the emulator's, by their status."""

    invoices: int
    wall: float
    settled: Settled
    costs: dict[str, ProcessCost]
    transactions: int
    counts: HistoryCounts
    answers: list[int]

    @property
    def cpu_ms(self) -> float:
        """CPU of an invoice, in all processes of the stack."""
        return 1000 * sum(self.costs[name].cpu_seconds for name in PARTS if name in self.costs) / self.invoices


def measure(invoices: int) -> list[Figure]:
    """Bill as many accounts, with one invoice each, after as many empty workflows."""
    return asyncio.run(_measure(invoices))


def measure_limited(invoices: int, rate_limits: str) -> list[Figure]:
    """Bill as many accounts against the emulator with Stripe's limits on requests."""
    return asyncio.run(_measure_limited(invoices, rate_limits))


async def _measure(invoices: int) -> list[Figure]:
    async with billing_stack(invoices, OFF) as stack:
        floor = await measure_floor(stack.values["TEMPORAL_ADDRESS"], invoices)
        run = await _bill(stack, invoices)
    return [*_figures(run, floor), *_by_process(run, floor)]


async def _measure_limited(invoices: int, rate_limits: str) -> list[Figure]:
    async with billing_stack(invoices, rate_limits) as stack:
        run = await _bill(stack, invoices)
    refused = 100 * sum(status == 429 for status in run.answers) / len(run.answers)
    note = f"{invoices:,} invoices, {len(run.answers):,} requests, limits of a {rate_limits} account"
    rate = invoices / run.settled.seconds
    return [
        Figure(LIMITED, "requests refused", refused, "%", at_most(_MOST_REFUSED), note=note),
        Figure(LIMITED, "claimed to billed", rate, "a second", note="STRIPE_INVOICES_PER_SECOND is not set"),
        Figure(LIMITED, "CPU of an invoice, all processes", run.cpu_ms, "ms"),
    ]


async def _bill(stack: BillingStack, invoices: int) -> MonthRun:
    url = stack.values["DATABASE_URL"]
    before, asked = await transactions(url), len(stack.answers())
    watch = Watch(os.getpid(), COARSE_SECONDS)
    with watch.watching():
        started = time.monotonic()
        await asyncio.to_thread(stack.perdure, "period", "run", PERIOD, "--wait")
        wall = time.monotonic() - started
    made = await transactions(url) - before
    done = await settled(url)
    if done.invoices != invoices:
        raise RuntimeError(f"only {done.invoices} of {invoices} invoices were billed")
    counts = await history_counts(stack.values["TEMPORAL_ADDRESS"], done.keys)
    return MonthRun(invoices, wall, done, watch.costs(), made, counts, stack.answers()[asked:])


def _figures(run: MonthRun, floor: Floor) -> list[Figure]:
    rate = run.invoices / run.settled.seconds
    possible = (os.cpu_count() or 1) * 1000 / run.cpu_ms
    raised = f"{run.invoices:,} invoices; STRIPE_INVOICES_PER_SECOND={RAISED}, where Stripe allows 25"
    counted = f"of {run.counts.histories} invoices, median"
    each = run.transactions / run.invoices
    return [
        Figure(PART, "claimed to billed", rate, "a second", at_least(_LEAST_A_SECOND), note=raised),
        Figure(PART, "the cores are good for", possible, "a second", note="if nothing else used them"),
        Figure(PART, "empty workflows, first start to last end", floor.rate, "a second", note="the floor"),
        Figure(PART, "the command `period run --wait`", run.wall, "s"),
        Figure(PART, "the floor: CPU of an empty workflow", floor.cpu_ms, "ms", note=f"{floor.workflows:,} of them"),
        Figure(PART, "CPU of an invoice, all processes", run.cpu_ms, "ms", at_most(_MOST_CPU_MS)),
        Figure(PART, "CPU of an invoice / floor", run.cpu_ms / floor.cpu_ms, "×", at_most(_TIMES_THE_FLOOR)),
        Figure(PART, "events of its history", run.counts.events, "", at_most(_MOST_EVENTS), note=counted),
        Figure(PART, "workflow tasks", run.counts.workflow_tasks, "", at_most(_MOST_TASKS), note=counted),
        Figure(PART, "activities, remote", run.counts.activities, "", at_most(_MOST_ACTIVITIES), note=counted),
        Figure(PART, "transactions of PostgreSQL, an invoice", each, "", at_most(_MOST_TRANSACTIONS)),
    ]


def _by_process(run: MonthRun, floor: Floor) -> list[Figure]:
    in_floor = {"temporal server": "server", "billing worker": "billing", "stripe worker": "stripe"}
    result = []
    for name in PARTS:
        if name in run.costs:
            note = f"the floor's: {floor.by_process[in_floor[name]]:.1f} ms" if name in in_floor else ""
            spent = 1000 * run.costs[name].cpu_seconds / run.invoices
            result.append(Figure(PART, f"CPU of an invoice, {name}", spent, "ms", note=note))
    for name in PARTS:
        if name in run.costs:
            goal = at_most(_MOST_MIB) if name.endswith("worker") else None
            result.append(Figure(PART, f"peak memory, {name}", run.costs[name].peak_mib, "MiB", goal))
    return result
