"""Random facts that arrive in a random order, with runs of a period in between: an hour is billed once, or listed.

The reference counts hours as sets; it shares no code with the product but the fold, which has tests of its own.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.usage.facts import fact_of_row
from billing.usage.fold import Folded, fold
from billing.usage.rows import FILE, ImportOptions, InstanceRow
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from storage.usage.misbilled import misbilled_usage
from tests.storage.usage import HOUR_US, add_account, card, fetch, instance, may, scope

ACCOUNTS = ("team:a", "team:b")
SOURCES = ("file", "other")
CUTOFFS = (may(2), may(3), may(4))
END = may(6)
Hour = tuple[str, int]


def draw(chance: random.Random) -> tuple[str, InstanceRow]:
    """Return a row of one of three instances, as one of two sources saw it."""
    start = chance.choice([None, 1, 5, 30, 50])
    stop = None if start is None or chance.random() < 0.5 else start + chance.choice([0, 3, 20, 60])
    hour = chance.randrange(0, 96, 4)
    row = instance(chance.choice("ijk"), None if start is None else at(start), None if stop is None else at(stop))
    missing = {"quantity"} if chance.random() < 0.2 else set()
    return chance.choice(SOURCES), replace(
        row,
        updated_at=at(hour),
        attribution_id=chance.choice(ACCOUNTS),
        workspace_class=chance.choice([None, "default", "xl"]),
        quantity=None if missing else chance.choice([Decimal(1), Decimal(2), Decimal("0.5")]),
        missing=frozenset(missing),
    )


def changed(chance: random.Random, row: InstanceRow) -> InstanceRow:
    """Return a later row that says the same of the instance but for one thing, as exports do."""
    assert row.updated_at is not None
    later = replace(row, updated_at=row.updated_at + timedelta(hours=chance.randrange(1, 9)))
    change: dict[str, Any] = chance.choice(
        [
            {},
            {"workspace_class": chance.choice(["default", "xl"])},
            {"attribution_id": chance.choice(ACCOUNTS)},
            {"quantity": Decimal(3), "missing": frozenset()},
            {"stopping_time": later.updated_at},
        ]
    )
    return replace(later, **change)


def at(hour: int) -> datetime:
    return may(1) + timedelta(hours=hour)


def hours(start: datetime, end: datetime | None) -> range:
    last = min(end or END, END)
    return range((start - may(1)) // timedelta(hours=1), (last - may(1)) // timedelta(hours=1))


def ran(folded: dict[str, Folded]) -> dict[Hour, tuple[Any, ...]]:
    """Return on which terms each instance ran in each hour."""
    return {
        (key, hour): (each.terms.attribution_id, each.terms.workspace_class or "default", each.terms.quantity)
        for key, instance_ in folded.items()
        for each in instance_.segments
        for hour in hours(each.start, each.end)
    }


async def billed(db: Database) -> dict[Hour, tuple[Any, ...]]:
    """Return on which terms each hour was billed, after checking that it was billed once."""
    rows = await fetch(
        db,
        "SELECT c.instance_id, lower(c.during), upper(c.during), i.attribution_id, l.workspace_class, c.quantity "
        "FROM claim AS c JOIN invoice AS i ON i.id = c.invoice_id "
        "JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)",
    )
    found: dict[Hour, tuple[Any, ...]] = {}
    for key, start, end, *terms in rows:
        for hour in hours(start, end):
            assert (key, hour) not in found
            found[str(key), hour] = tuple(terms)
    return found


@pytest.mark.parametrize("seed", range(12))
async def test_each_hour_is_billed_once_or_listed(db: Database, seed: int) -> None:
    chance = random.Random(seed)
    for name in ACCOUNTS:
        await add_account(db, name)
    arrivals = [draw(chance) for _ in range(7)]
    for _ in range(7):
        source, row = chance.choice(arrivals)
        arrivals.append((source, changed(chance, row)))
    if chance.random() < 0.5:
        chance.shuffle(arrivals)
    runs = {chance.randrange(len(arrivals)): cutoff for cutoff in CUTOFFS}
    for number, (source, row) in enumerate(arrivals):
        result = await upsert_instances(db, [row], ImportOptions(source=source))
        assert result.faults == []
        if number in runs:
            period = f"2022-0{1 + CUTOFFS.index(runs[number])}"
            await claim_page(db, scope(period=period, cutoff=runs[number]), card())
    await claim_page(db, scope(period="2022-09", cutoff=END), card())

    facts: dict[str, list[Any]] = {}
    for source, row in arrivals:
        assert row.updated_at is not None
        facts.setdefault(row.id, []).append(fact_of_row(row, row.updated_at, source))
    right = ran({key: fold(of_instance) for key, of_instance in facts.items()})
    charged = await billed(db)
    assert right.keys() <= charged.keys()
    wrong = sum(terms != right.get(hour) for hour, terms in charged.items())
    listed = await misbilled_usage(db)
    assert sum(usage.duration_us for usage in listed) == wrong * HOUR_US

    again = await upsert_instances(db, [row for source, row in arrivals if source == "file"], FILE)
    assert (again.inserted, again.updated, again.faults) == (0, 0, [])
    assert await billed(db) == charged
