"""The SQL of warnings agrees with its reference in Python."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from billing.invoice.policy import UnknownClass
from billing.pricing.rate_card import parse_rate_card
from billing.usage.rows import InstanceRow
from billing.usage.silence import NEVER_SILENT
from billing.usage.warnings import WarningKind
from storage.claims.claims import claim_page
from storage.periods.periods import write_summary
from storage.postgres.database import Database
from storage.warnings import periods, usage
from storage.warnings.accepted import accept_warning, withdraw_warning
from storage.warnings.periods import LateUsage, SteepAmount
from storage.warnings.usage import SuspectScope
from tests.storage.usage import (
    AS_DEFAULT,
    HOUR_US,
    add_account,
    add_instances,
    card,
    execute,
    instance,
    june,
    may,
    scope,
)

MAY = SuspectScope(may(32), may(1), longer=timedelta(days=31), rate_card=card())


async def suspects(db: Database, within: SuspectScope = MAY, most: int = 10) -> dict[str, dict[str, int]]:
    """Return the instances of each suspect subject, by kind."""
    found: dict[str, dict[str, int]] = {}
    for each in await usage.suspects(db, within, most):
        found.setdefault(str(each.kind), {})[each.subject] = each.instances
    return found


async def late(db: Database, **changes: Any) -> LateUsage:
    given: dict[str, Any] = {
        "start": may(1),
        "end": may(32),
        "bill_after": None,
        "first_rate": may(-120),
        "silence": NEVER_SILENT,
        "charge_on": "own",
    }
    return await periods.late_usage(db, "2022-05", **{**given, **changes})


async def test_each_kind_of_suspect_is_found_by_subject(db: Database) -> None:
    await add_account(db)
    await add_instances(
        db,
        instance("right", may(2), may(3)),
        instance("running", may(2)),
        instance("forgotten", may(-1)),
        instance("long", may(-40), may(2)),
        instance("gpu-1", may(2), may(3), workspace_class="gpu"),
        instance("gpu-2", may(4), may(5), workspace_class="gpu"),
        instance("empty", may(4), may(5), workspace_class=None),
        instance("whose", may(2), may(3), attribution_id="team:nobody"),
        instance("odd", may(2), may(3), attribution_id="no id"),
        instance("none", may(2), may(3), attribution_id=None),
        instance("early", may(2), may(3), creation_time=may(3, us=1)),
        instance("june", may(33), may(34), attribution_id="team:june"),
    )
    assert await suspects(db) == {
        "runs_long": {"forgotten": 1},
        "unknown_class": {"gpu": 2},
        "unknown_account": {"team:nobody": 1},
        "malformed_id": {"no id": 1, "empty": 1},
        "starts_before_creation": {"early": 1},
    }
    assert (await suspects(db, SuspectScope(may(62))))["unknown_account"] == {"team:nobody": 1, "team:june": 1}
    assert "runs_long" not in await suspects(db, SuspectScope(may(32), may(1)))
    assert "unknown_class" not in await suspects(db, SuspectScope(may(32), may(1)))
    assert await suspects(db, SuspectScope(may(32), may(1), "team:a", MAY.longer)) == {
        "runs_long": {"forgotten": 1},
        "starts_before_creation": {"early": 1},
    }


async def test_a_kind_has_all_its_subjects_counted_and_some_shown(db: Database) -> None:
    await add_instances(db, *(instance(f"i-{n}", may(2), may(3), attribution_id=f"team:{n}") for n in range(5)))
    found = await usage.suspects(db, MAY, 3)
    assert [(each.subject, each.subjects) for each in found] == [("team:0", 5), ("team:1", 5), ("team:2", 5)]


async def test_an_accepted_warning_is_neither_counted_nor_shown(db: Database) -> None:
    await add_instances(db, *(instance(f"i-{n}", may(2), may(3), attribution_id=f"team:{n}") for n in range(3)))
    await add_instances(db, *(instance(f"o-{n}", may(2), may(3), workspace_id="ws") for n in range(2)))
    await add_account(db)

    async def accept(kind: WarningKind, subject: str) -> None:
        await accept_warning(db, kind, subject, by="me", reason="right")

    await accept(WarningKind.UNKNOWN_ACCOUNT, "team:1")
    assert [(each.subject, each.subjects) for each in await usage.suspects(db, MAY, 3)] == [
        ("team:0", 2),
        ("team:2", 2),
    ]
    await accept(WarningKind.UNKNOWN_ACCOUNT, "*")
    assert await suspects(db) == {}
    assert len(await usage.overlapping_runs(db, MAY, 3)) == 1
    await accept(WarningKind.OVERLAPPING, "ws")
    assert await usage.overlapping_runs(db, MAY, 3) == []
    assert await withdraw_warning(db, WarningKind.UNKNOWN_ACCOUNT, "*", by="me")
    assert not await withdraw_warning(db, WarningKind.UNKNOWN_ACCOUNT, "*", by="me")
    assert await suspects(db) == {"unknown_account": {"team:0": 1, "team:2": 1}}


async def test_a_class_is_unknown_where_no_version_in_force_has_it(db: Database) -> None:
    def version(since: datetime, **classes: str) -> dict[str, Any]:
        prices = {"price_per_credit": {"usd": "0.01"}}
        return {"effective_from": since, "credits_per_minute": {"default": "1", **classes}, **prices}

    versions = [version(may(5), old="1"), version(may(10), new="1"), version(may(20), old="1", new="1")]
    within = SuspectScope(may(32), may(1), rate_card=parse_rate_card({"version": versions}))
    await add_account(db)
    for name, start, end, unknown in (
        ("old", 2, 10, False),  # before the first version, nothing is billed
        ("old", 9, 11, True),
        ("old", 21, 22, False),
        ("new", 9, 11, True),
        ("new", 15, None, False),
        ("old", 25, None, False),
    ):
        await execute(db, "DELETE FROM workspace_instance")
        await add_instances(db, instance("i", may(start), may(end) if end else None, workspace_class=name))
        assert bool(await suspects(db, within)) == unknown, (name, start, end)


async def test_a_segment_is_judged_by_itself(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(-5), workspace_id="ws"), instance("j", may(-9), may(-8)))
    await execute(db, "UPDATE workspace_instance SET segmented = true WHERE id = 'i'")
    await execute(
        db,
        "INSERT INTO segment (instance_id, during, attribution_id, workspace_class, quantity) VALUES "
        "('i', tstzrange(:start, :change), 'team:b', 'default', 1), "
        "('i', tstzrange(:change, NULL), 'team:a', 'gpu', 1)",
        start=may(-5),
        change=may(3),
    )
    assert await suspects(db) == {
        "runs_long": {"i": 1},
        "unknown_class": {"gpu": 1},
        "unknown_account": {"team:b": 1},
    }
    assert await usage.overlapping_runs(db, MAY, 3) == []


async def test_overlapping_instances_are_found_as_by_comparing_each_pair(db: Database) -> None:
    for seed in range(8):
        chance = random.Random(seed)
        rows: list[InstanceRow] = []
        for n in range(40):
            start = chance.randrange(-3, 34)
            end = None if chance.random() < 0.05 else may(start + chance.randrange(0, 3))
            workspace = chance.choice([None, "", *(f"ws-{w}" for w in range(25))])
            rows.append(instance(f"i-{n}", may(start), end, workspace_id=workspace))
        await execute(db, "DELETE FROM workspace_instance")
        await add_instances(db, *rows)
        by_id = {row.id: row for row in rows}
        expected = {
            one.workspace_id for one, other in combinations(rows, 2) if _overlap(one, other) and one.workspace_id
        }
        found = await usage.overlapping_runs(db, MAY, 100)
        assert {each.subject for each in found} == expected, seed
        assert {each.subjects for each in found} <= {len(expected)}
        for each in found:
            both = by_id[each.instance_id], by_id[each.other]
            assert each.instance_id != each.other
            assert {row.workspace_id for row in both} == {each.subject}
            assert (each.since, each.until) == _span(*both)


def _span(one: InstanceRow, other: InstanceRow) -> tuple[datetime, datetime]:
    starts, ends = ([row.started_time for row in (one, other)], [row.stopping_time or may(99) for row in (one, other)])
    return max(may(1), *(start for start in starts if start)), min(may(32), *ends)


def _overlap(one: InstanceRow, other: InstanceRow) -> bool:
    since, until = _span(one, other)
    return one.workspace_id == other.workspace_id and since < until


async def test_usage_that_arrives_after_its_period_was_billed_is_late(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:quiet")
    await add_account(db, "team:small")
    await add_instances(db, instance("i", may(2), may(3)))
    await add_instances(db, instance("s", may(2), may(2) + timedelta(minutes=1), attribution_id="team:small"))
    nothing = LateUsage(instances=0, accounts=0, duration_us=0)
    assert await late(db) == nothing
    await claim_page(db, scope(), card())
    await add_instances(db, instance("j", may(4), may(5)), instance("k", may(31), may(33)))
    await add_instances(db, instance("q", may(4), may(4.5), attribution_id="team:quiet"))
    assert await late(db) == nothing  # the invoice is claimed, and can take more
    await execute(db, "UPDATE invoice SET state = 'billed', report_id = 'r', stripe_invoice_id = 'in_1'")
    assert await late(db) == LateUsage(instances=2, accounts=1, duration_us=48 * HOUR_US)
    await write_summary(db, "2022-05", {})
    assert await late(db) == LateUsage(instances=3, accounts=2, duration_us=60 * HOUR_US)
    assert await late(db, charge_on="subscription") == LateUsage(instances=2, accounts=1, duration_us=48 * HOUR_US)
    assert await late(db, attribution_id="team:quiet") == LateUsage(instances=1, accounts=1, duration_us=12 * HOUR_US)
    assert await late(db, bill_after=may(32)) == nothing
    await claim_page(db, june(), card())
    assert await late(db) == nothing


async def test_an_account_far_above_its_period_before_is_found(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await add_instances(db, instance("i", may(2), may(3)), instance("b", may(2), may(3), attribution_id="team:b"))
    await claim_page(db, scope(), card())
    assert await periods.steep_amounts(db, "2022-05", 3) == []
    previewed = [("team:a", "usd", 3 * 1440), ("team:b", "usd", 3 * 1440 + 1), ("team:new", "usd", 10**9)]
    steep = SteepAmount(1, "2022-06/team:b", "usd", 4321, "2022-05", 1440)
    assert await periods.steep_amounts(db, "2022-06", 3, previewed=previewed) == [steep]
    assert await periods.steep_amounts(db, "2022-06", 3, previewed=previewed, attribution_id="team:a") == []
    await add_instances(db, instance("j", may(33), may(37)))
    await claim_page(db, june(), card())
    (found,) = await periods.steep_amounts(db, "2022-06", 3)
    assert (found.subject, found.amount) == ("2022-06/team:a", 4 * 1440)
    await accept_warning(db, WarningKind.ABOVE_PREVIOUS, "2022-06/team:a", by="me", reason="a new customer")
    assert await periods.steep_amounts(db, "2022-06", 3) == []


async def test_of_an_account_that_was_left_unbilled_only_what_came_since_is_late(db: Database) -> None:
    await add_account(db, "team:small")
    await add_account(db, "team:gpu")
    minute = timedelta(minutes=1)
    for number, day in enumerate((-3, 2)):  # from before the period too
        await add_instances(
            db,
            instance(f"s-{number}", may(day), may(day) + minute, attribution_id="team:small"),
            instance(f"g-{number}", may(day), may(day) + minute, attribution_id="team:gpu", workspace_class="gpu"),
        )
    held = scope(policy=replace(AS_DEFAULT, unknown_class=UnknownClass.HOLD))
    assert (await claim_page(db, held, card())).blocked == 1
    await write_summary(db, "2022-05", {})
    nothing = LateUsage(instances=0, accounts=0, duration_us=0)
    assert await late(db) == nothing
    await add_instances(db, instance("new", may(4), may(4.5), attribution_id="team:small"))
    assert await late(db) == replace(nothing, left_accounts=1, left_us=12 * HOUR_US)
    assert await late(db, start=None) == replace(nothing, left_accounts=1, left_us=12 * HOUR_US)
    await add_instances(db, instance("g-new", may(-4), may(-3.5), attribution_id="team:gpu"))
    assert await late(db) == replace(nothing, left_accounts=2, left_us=24 * HOUR_US)
    await execute(db, "UPDATE account_outcome SET left_us = NULL")  # of an earlier release
    assert await late(db) == nothing


async def test_a_class_that_is_billed_is_not_unknown(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3), workspace_class="gpu"))
    await claim_page(db, scope(), card())
    assert "unknown_class" not in await suspects(db)
    assert "unknown_class" not in await suspects(db, SuspectScope(may(62), rate_card=card()))
    await add_instances(db, instance("i", may(2), may(3.5), workspace_class="gpu"))
    assert (await suspects(db))["unknown_class"] == {"gpu": 1}
