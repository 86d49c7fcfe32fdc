"""Measure statements of one large invoice: each form by the command, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bench.commands import billed
from bench.documents.launching import perdure
from bench.figures import Figure, at_most
from bench.scratch import folder
from bench.usage import PERIOD

PART = "statements"
_KEY = f"{PERIOD}/team:0000001/period"  # the only one
_FORMS = ("pdf", "html", "csv", "xlsx")
_MOST_SECONDS = 5.0
_MOST_MIB = 250.0
_COUNTED = 10_000  # instances that the targets are for


def measure(instances: int) -> list[Figure]:
    """Write the statement of an invoice with so many instances, and of one with a fifth of them, in each form."""
    return asyncio.run(_measure(instances))


async def _measure(instances: int) -> list[Figure]:
    figures: list[Figure] = []
    for count in (instances // 5, instances):
        with folder() as scratch:
            async with billed(scratch, count, count) as (_, environment):
                for form in _FORMS:
                    figures += await asyncio.to_thread(_one, scratch / f"statement.{form}", environment, count)
    return figures


def _one(path: Path, environment: Mapping[str, str], instances: int) -> list[Figure]:
    spent = perdure(environment, "invoices", "statement", _KEY, "--to", str(path))
    form, size = path.suffix.removeprefix("."), path.stat().st_size / 1024 / 1024
    goal = at_most(_MOST_SECONDS) if form == "pdf" and instances == _COUNTED else None
    name = f"{form}, {instances:,} instances"
    return [
        Figure(PART, name, spent.seconds, "s", goal, f"CPU {spent.cpu_seconds:.2f} s, {size:.1f} MiB"),
        Figure(PART, f"{name}: memory", spent.peak_mib, "MiB", at_most(_MOST_MIB)),
    ]
