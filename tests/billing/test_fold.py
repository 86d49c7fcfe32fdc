"""The fold: the same set of facts gives the same segments, whatever the order, and each rule of docs/facts.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage.facts import COLUMNS, Fact, FactKind, Value, fact
from billing.usage.fold import Folded, fold, known_facts, plain_segments

MAY = datetime(2022, 5, 1, tzinfo=UTC)


def at(hour: float) -> datetime:
    return MAY + timedelta(hours=hour)


def row(seen: float, start: float | None, stop: float | None = None, *, source: str = "file", **given: Value) -> Fact:
    """Return a row's fact; hours since May, and the account `a` with class `c`."""
    values: dict[str, Value] = dict.fromkeys(COLUMNS)
    values |= {
        "attribution_id": "a",
        "workspace_class": "c",
        "quantity": Decimal(1),
        "started_time": None if start is None else at(start),
        "stopping_time": None if stop is None else at(stop),
    }
    return fact(at(seen), source, FactKind.ROW, values | given)


def event(kind: FactKind, hour: float, **given: Value) -> Fact:
    return fact(at(hour), "api", kind, given)


def ran(folded: Folded) -> list[tuple[Any, ...]]:
    """Return the segments: start and end in hours, payer, class and quantity where they are not the usual ones."""
    usual = {"attribution_id": "a", "workspace_class": "c", "quantity": Decimal(1)}
    return [
        (
            (each.start - MAY) / timedelta(hours=1),
            None if each.end is None else (each.end - MAY) / timedelta(hours=1),
            *(value for name, value in each.terms._asdict().items() if value != usual[name]),
        )
        for each in folded.segments
    ]


@pytest.mark.parametrize(
    ("facts", "segments"),
    [
        ([row(1, 1)], [(1, None)]),
        ([row(1, 1), row(2, 1)], [(1, None)]),
        ([row(1, 1), row(9, 1, 8)], [(1, 8)]),
        ([row(1, 1), row(9, 1, 8), row(5, 1)], [(1, 8)]),
        ([row(1, 1), row(4, 1, workspace_class="xl"), row(9, 1, 8, workspace_class="xl")], [(1, 4), (4, 8, "xl")]),
        ([row(1, 1), row(9, 1, 8, workspace_class="xl")], [(1, 8)]),
        ([row(1, 1), row(4, 1, quantity=Decimal(2))], [(1, 4), (4, None, Decimal(2))]),
        ([row(1, 1), row(4, 1, attribution_id="b")], [(1, 4), (4, None, "b")]),
        ([row(1, 1), row(4, 1, workspace_class="xl"), row(6, 1)], [(1, 4), (4, 6, "xl"), (6, None)]),
        ([row(1, 1, workspace_class=None), row(4, 1, workspace_class="default")], [(1, None, None)]),
        ([row(3, 1, 2), row(5, 4)], [(1, 2), (4, None)]),
        ([row(3, 1, 2), row(5, 2)], [(1, 2), (2, None)]),
        ([row(3, 1, 2), row(5, 4, workspace_class="xl")], [(1, 2), (4, None, "xl")]),
        ([row(3, 1, 3), row(5, 2, 3)], [(2, 3)]),
        ([row(3, 1, 3), row(5, 1)], [(1, None)]),
        ([row(3, 1, 2), row(5, 4), row(7, 4, 6)], [(1, 2), (4, 6)]),
        ([row(3, 3, 1)], []),
        ([row(1, None)], []),
        ([row(9, 1, 8, stopped_time=at(6))], [(1, 6)]),
        ([row(3, 1), row(3, 1, 3)], [(1, 3)]),
        ([row(3, 1, workspace_class="x"), row(3, 1, workspace_class="y")], [(1, None, "y")]),
        ([event(FactKind.STARTED, 1, attribution_id="a", workspace_class="c")], [(1, None)]),
        (
            [
                event(FactKind.STARTED, 1, attribution_id="a", workspace_class="c"),
                event(FactKind.CHANGED, 3, workspace_class="xl"),
                event(FactKind.ALIVE, 4),
                event(FactKind.STOPPING, 5),
                event(FactKind.STOPPED, 6),
                event(FactKind.STARTED, 8),
            ],
            [(1, 3), (3, 5, "xl"), (8, None, "xl")],
        ),
        ([row(1, 1), event(FactKind.STOPPED, 4), event(FactKind.STOPPED, 6)], [(1, 4)]),
    ],
)
def test_each_rule(facts: list[Fact], segments: list[tuple[Any, ...]]) -> None:
    assert ran(fold(facts)) == segments
    assert ran(fold(reversed(facts))) == segments


only_start = fact(at(7), "file", FactKind.ROW, {"started_time": at(1), "attribution_id": "a", "workspace_class": "c"})


@pytest.mark.parametrize(
    ("facts", "segments", "faulty"),
    [
        ([row(3, 3, 1)], [], [(3, 1)]),
        ([row(3, 1, 2), row(6, 5, 4)], [(1, 2)], [(5, 4)]),
        ([row(3, 1, 2), row(6, 5, 4), row(9, 8)], [(1, 2), (8, None)], [(5, 4)]),
        ([row(6, 5, 4), row(9, 8)], [(8, None)], [(5, 4)]),
        ([row(6, 5, 4), row(9, 5, 8)], [(5, 8)], []),
        ([row(1, None)], [], []),
        ([row(5, None, 4)], [], [(None, 4)]),
        ([row(5, None, 4), only_start], [(1, 4)], []),
        ([row(5, None, 4), row(7, 1, 4)], [(1, 4)], []),
        ([row(5, None, 4), row(7, 6)], [(6, None)], [(None, 4)]),
        ([row(5, None, 4), row(7, 6), row(8, 3, 9)], [(3, 9)], []),
        ([event(FactKind.STOPPED, 5)], [], [(None, 5)]),
        ([event(FactKind.STOPPED, 5), only_start], [(1, 5)], []),
        ([event(FactKind.STOPPING, 5), event(FactKind.STARTED, 6, attribution_id="a", workspace_class="c")],
         [(6, None)], [(None, 5)]),
        ([row(3, 1, 2), row(5, None)], [(1, 2)], []),
        ([row(3, 1, 2), row(5, None), row(7, 6)], [(1, 2), (6, None)], []),
        ([row(3, 1, 2), row(5, None, 5)], [(1, 2)], [(None, 5)]),
        ([row(3, 1, 2), row(5, None, 5), row(7, 4, 5)], [(1, 2), (4, 5)], []),
        ([row(3, 1, 2), row(5, None, 2)], [], [(None, 2)]),
    ],
)  # fmt: skip
def test_a_run_without_a_runtime_is_kept_with_its_times(
    facts: list[Fact], segments: list[tuple[Any, ...]], faulty: list[tuple[Any, ...]]
) -> None:
    for folded in (fold(facts), fold(reversed(facts))):
        assert ran(folded) == segments
        assert [(each.start, each.end) for each in folded.faulty] == [
            (start if start is None else at(start), at(stop)) for start, stop in faulty
        ]


def test_an_equal_fact_in_between_bounds_what_an_older_one_changes() -> None:
    first, middle, last, late = row(1, 1), row(5, 1), row(9, 1), row(3, 1, workspace_class="xl")
    assert fold([first, last]).segments == fold([first, middle, last]).segments
    assert ran(fold([first, middle, last, late])) == [(1, 3), (3, 5, "xl"), (5, None)]
    assert ran(fold([first, last, late])) == [(1, 3), (3, 9, "xl"), (9, None)]


def test_a_column_that_a_fact_lacks_leaves_the_value_alone() -> None:
    only_class = fact(at(4), "file", FactKind.ROW, {"workspace_class": "xl"})
    assert ran(fold([row(1, 1), only_class])) == [(1, 4), (4, None, "xl")]
    assert ran(fold([row(9, 1, 8), fact(at(10), "file", FactKind.ROW, {"owner_id": "o"})])) == [(1, 8)]


def test_facts_of_one_instant_that_differ_and_several_sources_are_named() -> None:
    folded = fold([row(3, 1), row(3, 1, 3), row(4, 1, 3, source="other")])
    assert (folded.differing, folded.sources) == ((at(3),), ("file", "other"))
    assert fold([row(3, 1), row(4, 1)]).differing == ()


def test_what_was_known_is_as_new_as_its_latest_time() -> None:
    state = {**dict(row(9, 1, 8).values), "creation_time": at(0)}
    known = known_facts(state, ())
    assert ran(fold([*known, row(5, 1)])) == [(1, 8)]
    assert ran(fold([*known, row(9, 1)])) == [(1, None)]
    twice = fold([*known_facts(state, fold([row(0, -3, -2)]).segments), row(12, 10)])
    assert ran(twice) == [(-3, -2), (1, 8), (10, None)]
    assert twice.sources == ("file",)
    faulty = fold([row(2, 1, 2), row(3, 5, 4), row(6, None, 6), row(9, 8)])
    again = fold(known_facts(faulty.state, (*faulty.segments[:-1], *faulty.faulty)))
    assert (again.segments, again.faulty) == (faulty.segments, faulty.faulty)


hours = st.integers(0, 12)
times = st.one_of(st.none(), hours)
facts_of_rows = st.builds(
    row,
    hours,
    times,
    times,
    source=st.sampled_from(["file", "other"]),
    workspace_class=st.sampled_from(["c", "xl", None]),
    attribution_id=st.sampled_from(["a", "b"]),
    quantity=st.sampled_from([Decimal(1), Decimal(2)]),
)
facts_of_events = st.builds(
    lambda kind, hour, name: event(kind, hour, **({} if name is None else {"workspace_class": name})),
    st.sampled_from([kind for kind in FactKind if kind is not FactKind.ROW]),
    hours,
    st.sampled_from([None, "c", "xl"]),
)
partial = st.builds(
    lambda each, kept: fact(each.at, each.source, each.kind, {k: v for k, v in each.values.items() if k in kept}),
    facts_of_rows,
    st.sets(st.sampled_from(COLUMNS)),
)


@given(st.lists(st.one_of(facts_of_rows, facts_of_events, partial), min_size=1, max_size=8), st.randoms())
def test_any_order_and_repetition_give_the_same(facts: list[Fact], chance: Any) -> None:
    once = fold(facts)
    again = [*facts, *chance.choices(facts, k=3)]
    chance.shuffle(again)
    assert fold(again) == once
    for segment in once.segments:
        assert segment.end is None or segment.start < segment.end
    for one, other in pairwise(once.segments):
        assert one.end is not None
        assert one.end <= other.start
    assert once.last_sign == max(each.at for each in facts)
    assert once.last_source in {each.source for each in facts if each.at == once.last_sign}
    for run in once.faulty:
        assert run.start is None or run.end < run.start
    assert not once.is_plain or once.segments == plain_segments(once.state)
    assert once.is_plain or once.segments or once.faulty
