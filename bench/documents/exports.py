"""Measure exports of a billed month: time, CPU and peak memory of the command, at two sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bench.commands import billed
from bench.documents.launching import Spent, perdure
from bench.figures import Figure, at_most
from bench.scratch import folder
from bench.usage import PERIOD
from storage.postgres.database import Database
from storage.totals.days import fill_days

PART = "exports"
_TIMES_SMALLER = 10
_MOST_GROWTH_MIB = 20.0
_COMMANDS = (
    f"export {PERIOD} --to FOLDER/month.xlsx",
    f"export {PERIOD} --format csv --to FOLDER/month",
    f"invoices list --period {PERIOD} -o FOLDER/invoices.xlsx",
)


def measure(instances: int) -> list[Figure]:
    """Export a month of this many instances, and of a tenth of them."""
    return asyncio.run(_measure(instances))


async def _measure(instances: int) -> list[Figure]:
    few, many = [await _costs(size) for size in (instances // _TIMES_SMALLER, instances)]
    figures = []
    for command in _COMMANDS:
        cost, growth = many[command], many[command].peak_mib - few[command].peak_mib
        name = command.replace("FOLDER/", "")
        note = f"{instances:,} instances, CPU {cost.cpu_seconds:.1f} s, peak {cost.peak_mib:.0f} MiB"
        figures.append(Figure(PART, name, cost.seconds, "s", note=note))
        grows = f"{name}: memory above that of a tenth"
        figures.append(Figure(PART, grows, growth, "MiB", at_most(_MOST_GROWTH_MIB)))
    return figures


async def _costs(instances: int) -> dict[str, Spent]:
    with folder() as scratch:
        async with billed(scratch, instances) as (_, environment):
            db = Database(environment["DATABASE_URL"], 1)
            try:
                await fill_days(db)
            finally:
                await db.close()
            return {each: await asyncio.to_thread(_run, environment, each, scratch) for each in _COMMANDS}


def _run(environment: Mapping[str, str], command: str, scratch: Path) -> Spent:
    return perdure(environment, *command.replace("FOLDER", str(scratch)).split())
