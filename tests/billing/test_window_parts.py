"""A window is cut into parts of one kind each; the parts cover it exactly."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from billing.accounts.parts import Stretch, cut, joined
from billing.accounts.windows import Window, WindowKind
from billing.usage.interval import Interval

PAID, TRIAL, PAUSED = WindowKind.PAID, WindowKind.TRIAL, WindowKind.COLLECTION_PAUSED


def may(day: int) -> datetime:
    return datetime(2022, 5, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "stretches", "expected"),
    [
        (Interval(may(1), None), [], [Stretch(may(1), None, PAID)]),
        (
            Interval(may(1), None),
            [Stretch(may(1), may(15), TRIAL)],
            [Stretch(may(1), may(15), TRIAL), Stretch(may(15), None, PAID)],
        ),
        (
            Interval(may(1), may(20)),
            [Stretch(may(4), may(15), TRIAL)],
            [Stretch(may(1), may(4), PAID), Stretch(may(4), may(15), TRIAL), Stretch(may(15), may(20), PAID)],
        ),
        (
            Interval(may(1), may(10)),
            [Stretch(may(1), may(15), TRIAL)],
            [Stretch(may(1), may(10), TRIAL)],
        ),  # canceled in it
        (Interval(may(20), None), [Stretch(may(1), may(15), TRIAL)], [Stretch(may(20), None, PAID)]),
        (
            Interval(may(1), None),
            [Stretch(may(1), may(5), TRIAL), Stretch(may(3), None, PAUSED)],
            [Stretch(may(1), may(5), TRIAL), Stretch(may(5), None, PAUSED)],
        ),
    ],
)
def test_a_window_is_cut_into_its_kinds(window: Interval, stretches: list[Stretch], expected: list[Stretch]) -> None:
    assert cut(window, stretches) == expected


@pytest.mark.parametrize("seed", range(200))
def test_the_parts_cover_the_window_and_each_instant_has_its_kind(seed: int) -> None:
    rng = random.Random(seed)

    def span() -> tuple[datetime, datetime | None]:
        start, end = sorted(rng.sample(range(1, 29), 2))
        return may(start), may(end) if rng.random() < 0.8 else None

    window = Interval(*span())
    stretches = [Stretch(*span(), rng.choice([TRIAL, PAUSED])) for _ in range(rng.randrange(4))]
    parts = cut(window, stretches)
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(one.end == other.start and one.kind is not other.kind for one, other in pairwise(parts))
    for hours in range(0, 28 * 24, 12):
        at = may(1) + timedelta(hours=hours)
        found = [part.kind for part in parts if part.start <= at and (part.end is None or at < part.end)]
        if window.start <= at and (window.end is None or at < window.end):
            of = [each.kind for each in stretches if each.start <= at and (each.end is None or at < each.end)]
            assert found == [of[0] if of else PAID]
        else:
            assert found == []


def test_windows_that_follow_each_other_are_one() -> None:
    windows = [Window(may(1), may(5), "sub_1"), Window(may(5), may(7), "sub_1"), Window(may(9), None, "sub_1")]
    assert joined(windows) == [Window(may(1), may(7), "sub_1"), Window(may(9), None, "sub_1")]
