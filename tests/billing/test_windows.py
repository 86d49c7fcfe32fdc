"""Windows next to each other, compared with a day-by-day reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.accounts.windows import Clash, Window, place

ORIGIN = datetime(2022, 5, 1, tzinfo=UTC)
LAST = 30


def day(number: int) -> datetime:
    return ORIGIN + timedelta(days=number)


def days(window: Window | None) -> set[int]:
    """Return the days that a window covers, up to `LAST`."""
    if window is None:
        return set()
    return {n for n in range(LAST) if window.start <= day(n) and (window.end is None or day(n) < window.end)}


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Window, list[Window]]:
    """Draw a window, and others that never overlap each other; only the last can be open."""
    bounds = sorted(draw(st.sets(st.integers(0, LAST - 5), max_size=8)))
    others = [Window(day(a), day(b)) for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    if len(bounds) % 2:
        others.append(Window(day(bounds[-1]), None))
    started = draw(st.integers(0, LAST - 5))
    ended = draw(st.none() | st.integers(started + 1, LAST - 4))
    return Window(day(started), None if ended is None else day(ended), "sub"), draw(st.permutations(others))


@given(accounts())
def test_what_two_windows_cover_is_covered_once_and_nothing_is_lost(account: tuple[Window, list[Window]]) -> None:
    window, others = account
    taken = set().union(*(days(other) for other in others))
    placed = place(window, others)
    if isinstance(placed, Clash):
        both_open = window.end is None and any(other.end is None for other in others)
        wanted = days(window) - taken
        in_pieces = bool(wanted) and (set(range(min(wanted), max(wanted) + 1)) != wanted)
        inside = any(day(0) <= window.start < other.start for other in others)
        assert both_open or in_pieces or inside
    else:
        assert days(placed) == days(window) - taken
        assert placed is None or placed.name == "sub"


def test_of_two_that_ran_at_once_the_later_begins_when_the_earlier_ended() -> None:
    assert place(Window(day(3), None), [Window(day(1), day(5))]) == Window(day(5), None)
    assert place(Window(day(1), day(5)), [Window(day(3), None)]) == Window(day(1), day(3))
    assert place(Window(day(2), day(4)), [Window(day(1), None)]) is None
    assert place(Window(day(2), day(4)), [Window(day(1), day(2)), Window(day(4), None)]) == Window(day(2), day(4))


def test_two_are_never_open_at_once_nor_one_in_two_pieces() -> None:
    first = Window(day(1), None)
    assert place(Window(day(3), None), [first]) == Clash(first)
    assert place(first, [Window(day(3), None)]) == Clash(Window(day(3), None))
    assert place(first, [Window(day(3), day(4))]) == Clash(Window(day(3), day(4)))
    assert place(Window(day(1), day(9)), [Window(day(3), day(4))]) == Clash(Window(day(3), day(4)))
