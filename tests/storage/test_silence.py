"""An instance that says nothing any more is billed up to its last sign, by the terms of the source of that sign.

Claims, `explain`, the status, the audit and the warning of late usage each compute it by a statement of their own.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing.audit.checks import Check
from billing.usage.rows import ImportOptions
from billing.usage.silence import NEVER_SILENT, Silence
from storage.arrivals.sources import SourceTerms, register_sources, remove_sources
from storage.claims.claims import claim_page
from storage.periods.periods import excluded_instances, write_summary
from storage.postgres.database import Database
from storage.usage.explain import explain_instance
from storage.usage.instances import upsert_instances
from storage.warnings.periods import late_usage
from tests.storage.audits import audit
from tests.storage.usage import HOUR_US, add_account, card, claimed, execute, fetch, instance, may, scope

DAY_US = 24 * HOUR_US
CARD = card()
DEPLOYMENT = Silence(timedelta(days=2), timedelta(days=2))
END = may(32)


async def sign(
    db: Database, source: str, at: datetime, *, instance_id: str = "i", ended: datetime | None = None
) -> None:
    row = replace(instance(instance_id, may(2), ended), updated_at=at)
    assert (await upsert_instances(db, [row], ImportOptions(source=source))).faults == []


async def register(db: Database, stale_after: timedelta | None, name: str = "product") -> None:
    terms = SourceTerms(name, "sql", timedelta(minutes=10), timedelta(), stale_after)
    await register_sources(db, [terms])


async def billed_to(db: Database, silence: Silence) -> datetime:
    """Return up to when the run of May bills the instance `i`, after comparing everything that says so."""
    late = await late_usage(
        db, "2022-05", start=may(1), end=END, bill_after=None, first_rate=may(-120), silence=silence, charge_on="own"
    )
    await claim_page(db, scope(silence=silence), CARD)
    ((_, start, end),) = await claimed(db)
    assert late.duration_us == (end - start) / timedelta(microseconds=1)
    silent = (END - end) / timedelta(microseconds=1)
    found = await explain_instance(db, "i", now=END, bill_after=None, rate_card=CARD, charge_on="own", silence=silence)
    assert found is not None
    fates = [("open", end - start)] + ([("stale", END - end)] if silent else [])
    assert [(each.fate, timedelta(microseconds=each.duration_us)) for each in found.intervals] == fates
    listed = excluded_instances(db, start=may(1), end=END, bill_after=None, rate_card=CARD, silence=silence)
    assert [(each.reason, each.duration_us) async for each in listed] == ([("stale", silent)] if silent else [])
    record, findings = await audit(db, Check.CONSERVATION, now=END, rate_card=CARD, silence=silence)
    assert findings == []
    assert (record.figures["stale_us"], record.figures["unbilled_us"]) == (silent, 0)
    return end


@pytest.fixture
async def settled(db: Database) -> Database:
    """A database with an account, in which May is settled: what is not billed is late."""
    await add_account(db)
    await write_summary(db, "2022-05", {})
    return db


@pytest.mark.parametrize(
    ("of_source", "silence", "end"),
    [
        (None, NEVER_SILENT, END),
        (None, DEPLOYMENT, may(10)),
        (timedelta(days=30), DEPLOYMENT, END),
        (timedelta(days=22), DEPLOYMENT, END),
        (timedelta(days=22) - timedelta(seconds=1), DEPLOYMENT, may(10)),
        (timedelta(days=3), NEVER_SILENT, may(10)),
        (timedelta(), DEPLOYMENT, END),
    ],
)
async def test_a_source_has_terms_of_its_own(
    settled: Database, of_source: timedelta | None, silence: Silence, end: datetime
) -> None:
    await register(settled, of_source)
    await sign(settled, "product", may(10))
    assert await billed_to(settled, silence) == end


@pytest.mark.parametrize(("source", "end"), [("shop", may(10)), ("api:ci", may(10)), ("file", END)])
async def test_the_api_has_terms_of_its_own(settled: Database, source: str, end: datetime) -> None:
    await register(settled, timedelta(days=1))
    await sign(settled, source, may(10))
    assert await billed_to(settled, Silence(None, timedelta(days=2))) == end


async def test_the_api_can_be_left_out(settled: Database) -> None:
    await sign(settled, "shop", may(10))
    assert await billed_to(settled, Silence(timedelta(days=2), None)) == END


async def test_a_changed_setting_counts_for_what_is_known_already(settled: Database) -> None:
    await register(settled, timedelta(days=30))
    await sign(settled, "product", may(10))
    await register(settled, timedelta(days=3))
    assert await billed_to(settled, NEVER_SILENT) == may(10)


async def test_a_removed_source_keeps_its_terms(settled: Database) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "product", may(10))
    await remove_sources(settled, ["product"])
    assert await billed_to(settled, NEVER_SILENT) == may(10)


async def test_a_later_sign_is_billed_by_the_next_run(settled: Database) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "product", may(10))
    assert await billed_to(settled, NEVER_SILENT) == may(10)
    await sign(settled, "product", may(40), ended=may(12))
    await claim_page(settled, scope(period="2022-06", cutoff=may(62), period_start=END), CARD)
    assert [tuple(each[1:]) for each in await claimed(settled)] == [(may(2), may(10)), (may(10), may(12))]


async def test_the_latest_sign_counts_for_all_sources(settled: Database) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "product", may(10))
    await sign(settled, "shop", may(11))
    assert await billed_to(settled, NEVER_SILENT) == END


async def test_a_sign_of_a_snapshot_counts_as_any_other(settled: Database) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "shop", may(10))
    await execute(settled, "UPDATE workspace_instance SET seen_at = :at, seen_by = 'product'", at=may(15))
    assert await billed_to(settled, NEVER_SILENT) == may(15)


async def test_an_instance_of_several_segments_is_silent_as_a_whole(settled: Database) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "product", may(4))
    row = replace(instance("i", may(2)), updated_at=may(10), workspace_class="xl")
    await upsert_instances(settled, [row], ImportOptions(source="product"))
    await claim_page(settled, scope(), CARD)
    assert [each[1:] for each in await claimed(settled)] == [(may(2), may(10))]


@pytest.mark.parametrize("correct", [True, False])
async def test_a_correction_replaces_the_signs(settled: Database, correct: bool) -> None:
    await register(settled, timedelta(days=3))
    await sign(settled, "product", may(10))
    await execute(settled, "UPDATE workspace_instance SET seen_at = :at, seen_by = 'product'", at=may(15))
    right = instance("i", may(2))
    right = right if correct else replace(right, updated_at=may(9))
    assert (await upsert_instances(settled, [right], ImportOptions(correct=True))).faults == []
    assert await billed_to(settled, NEVER_SILENT) == END
    assert await fetch(settled, "SELECT last_source, seen_at FROM workspace_instance") == [
        (None if correct else "file", None)
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_arrival_gives_the_same_last_sign(db: Database, seed: int) -> None:
    chance = random.Random(seed)
    signs = [
        (chance.choice(["product", "shop", "file"]), may(chance.randrange(3, 9)), chance.choice(["default", "xl"]))
        for _ in range(8)
    ]
    found = set()
    for order in range(3):
        chance.shuffle(signs)
        for source, at, workspace_class in signs:
            row = replace(instance(f"i-{order}", may(2)), updated_at=at, workspace_class=workspace_class)
            await upsert_instances(db, [row], ImportOptions(source=source))
        found |= {
            tuple(row)
            for row in await fetch(
                db, "SELECT last_sign, last_source FROM instance_segment WHERE instance_id = :id", id=f"i-{order}"
            )
        }
    assert len(found) == 1
