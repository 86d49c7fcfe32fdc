"""What the API accepted becomes what is known of the instances, as the roles of the API and the sources' worker."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.usage.events import Arrival
from billing.usage.fold import fold
from storage.arrivals.events import Acceptance, accept, accept_corrections
from storage.arrivals.pending import fold_all
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from tests.api.sending import event, fold_everything, row, segments
from tests.storage.usage import add_account, card, execute, fetch, may, scope

A_DAY = [
    event("started", may(2), attribution_id="team:a", workspace_class="xl", quantity=2, workspace_id="w"),
    event("alive", may(2.25)),
    event("changed", may(2.5), workspace_class="default", quantity=1),
    event("alive", may(2.75)),
    event("stopping", may(2.9)),
    event("stopped", may(3)),
]
RAN = [("i", may(2), may(2.5), "team:a", "xl", 2), ("i", may(2.5), may(2.9), "team:a", "default", 1)]


async def test_events_become_segments(db: Database, api: Database, ingest: Database) -> None:
    assert await accept(api, A_DAY) == [Acceptance.ACCEPTED] * 6
    assert await fold_everything(ingest) == 6
    assert await segments(db) == RAN
    assert await fetch(db, "SELECT 1 FROM pending_fact") == []


async def test_each_event_counts_when_it_arrives(db: Database, api: Database, ingest: Database) -> None:
    for each in A_DAY[:5]:
        await accept(api, [each])
        await fold_everything(ingest)
    assert await segments(db) == RAN


async def test_an_event_that_comes_again_is_known(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, A_DAY)
    assert await accept(api, [A_DAY[0], A_DAY[1], A_DAY[5]]) == ["known", "accepted", "known"]
    await fold_everything(ingest)
    assert await accept(api, [A_DAY[0]]) == ["known"]
    await fold_everything(ingest)
    assert await segments(db) == RAN


async def test_an_id_with_another_content_is_refused(db: Database, api: Database, ingest: Database) -> None:
    one = event("started", may(2), id="1", attribution_id="team:a")
    other = event("started", may(3), id="1", attribution_id="team:a")
    assert await accept(api, [one, other, one]) == ["accepted", "refused", "known"]
    assert await accept(api, [other, event("alive", may(4), id="1")]) == ["refused", "refused"]
    elsewhere = event("started", may(3), "j", id="1", source="elsewhere", attribution_id="team:a")
    assert await accept(api, [elsewhere]) == ["accepted"]
    await fold_everything(ingest)
    assert [row[:3] for row in await segments(db)] == [("i", may(2), None), ("j", may(3), None)]


async def test_only_the_latest_sign_is_kept(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, [event("started", may(2), attribution_id="team:a")])
    for day in (5, 3, 4):
        await accept(api, [event("alive", may(day)), event("alive", may(day - 0.5)), event("alive", may(1), "unknown")])
        await fold_everything(ingest)
    signs = await fetch(db, "SELECT instance_id, at FROM usage_fact WHERE kind = 'alive' ORDER BY 1")
    assert [tuple(each) for each in signs] == [("i", may(5)), ("unknown", may(1))]
    assert (await fetch(db, "SELECT last_sign FROM workspace_instance WHERE id = 'i'"))[0].last_sign == may(5)


async def test_a_correction_replaces_what_was_accepted_before_it(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, [event("started", may(2), attribution_id="team:a"), event("stopped", may(20))])
    right = row(may(21), attribution_id="team:a", started_time=may(2), stopped_time=may(4))
    await accept_corrections(api, [right, row(may(21), "j", attribution_id="team:a", started_time=may(1))])
    await accept(api, [event("started", may(22))])
    assert [batch.facts async for batch in fold_all(ingest, 10)] == [2, 2, 1]
    assert [each[:3] for each in await segments(db)] == [
        ("i", may(2), may(4)),
        ("i", may(22), None),
        ("j", may(1), None),
    ]


async def test_a_correction_counts_once_in_however_many_transactions(
    db: Database, api: Database, ingest: Database
) -> None:
    await accept(api, [event("started", may(1), attribution_id="team:z")])
    rows = [row(may(day), attribution_id=f"team:{day}", started_time=may(2)) for day in (2, 3, 4)]
    await accept_corrections(api, rows)
    await fold_everything(ingest, most=1)
    assert [each[3] for each in await segments(db)] == ["team:2", "team:3", "team:4"]


async def test_what_was_invoiced_is_refused_and_kept_as_a_fault(db: Database, api: Database, ingest: Database) -> None:
    await add_account(db)
    started = event("started", may(2), attribution_id="team:a", workspace_id="w", project_id="p")
    await accept(api, [started, event("stopped", may(3))])
    await fold_everything(ingest)
    await claim_page(db, scope(), card())
    await accept(
        api, [event("changed", may(2.5), workspace_id="other"), event("changed", may(2.5), workspace_class="xl")]
    )
    batches = [batch async for batch in fold_all(ingest)]
    assert [fault.column for batch in batches for fault in batch.faults] == ["workspace_id"]
    assert list(batches[0].misbilled) == ["i"]
    faults = await fetch(db, "SELECT source, subject, field, reason FROM source_fault")
    assert [tuple(each) for each in faults] == [("api:product", "i", "workspace_id", "i cannot change: invoiced as w")]
    await accept(api, [event("alive", may(2.7))])
    await fold_everything(ingest)
    assert await fetch(db, "SELECT 1 FROM source_fault") == []


async def test_a_fact_that_the_database_refuses_stops_no_other(db: Database, api: Database, ingest: Database) -> None:
    await accept(api, [event("started", may(2), f"i{number}", attribution_id="team:a") for number in range(9)])
    await execute(db, "UPDATE pending_fact SET content = 'no JSON' WHERE instance_id = 'i6'")
    assert await fold_everything(ingest) == 9
    assert {each[0] for each in await segments(db)} == {f"i{number}" for number in range(9)} - {"i6"}
    faults = await fetch(db, "SELECT source, subject, reason FROM source_fault")
    assert [(each.source, each.subject) for each in faults] == [("api:product", "i6")]
    assert "SQLSTATE 22P02" in faults[0].reason


def drawn(chance: random.Random) -> list[Arrival]:
    """Return random events of three instances; one of them, `k`, is known by rows too."""
    found = []
    for _ in range(14):
        kind = chance.choice(["started", "changed", "alive", "alive", "stopping", "stopped"])
        data = {
            "attribution_id": chance.choice(["team:a", "team:b"]),
            "workspace_class": chance.choice(["xl", None]),
            "quantity": chance.choice([1, "0.5"]),
        }
        kept = {name: value for name, value in data.items() if chance.random() < 0.6}
        kept = kept or ({"quantity": 2} if kind == "changed" else {})
        given: dict[str, Any] = {} if kind == "alive" else kept
        at = may(1) + timedelta(hours=chance.randrange(48))
        found.append(event(kind, at, chance.choice("ijk"), **given))
    for hour in (3, 30):
        start = may(1) + timedelta(hours=chance.randrange(3))
        stop = None if chance.random() < 0.5 else start + timedelta(hours=20)
        found.append(row(may(1) + timedelta(hours=hour), "k", started_time=start, stopped_time=stop))
    return found


@pytest.mark.parametrize("seed", range(25))
async def test_however_events_are_batched_the_segments_are_those_of_the_fold(
    db: Database, api: Database, ingest: Database, seed: int
) -> None:
    chance = random.Random(seed)
    sent = drawn(chance)
    facts = {
        key: [each.fact for each in sent if each.instance_id == key] for key in sorted({a.instance_id for a in sent})
    }
    chance.shuffle(sent)
    while sent:
        size = chance.randrange(1, 8)
        await accept(api, [*sent[:size], *([chance.choice(sent)] if chance.random() < 0.3 else [])])
        sent = sent[size:]
        if chance.random() < 0.5:
            await fold_everything(ingest, chance.choice([1, 2, 3, 100]))
    await fold_everything(ingest)
    expected: list[tuple[object, ...]] = []
    for key, of_instance in facts.items():
        folded = fold(of_instance)
        expected += [(key, each.start, each.end, *replace(each).terms) for each in folded.segments]
        stored = (await fetch(db, "SELECT * FROM workspace_instance WHERE id = :id", id=key))[0]
        assert (stored.last_sign, stored.last_source) == (folded.last_sign, folded.last_source)
        assert stored.attribution_id == folded.state["attribution_id"]
        assert (stored.started_time, stored.stopped_time) == (
            folded.state["started_time"],
            folded.state["stopped_time"],
        )
    assert await segments(db) == expected
    assert all(isinstance(each[5], Decimal) and isinstance(each[1], datetime) for each in expected)
