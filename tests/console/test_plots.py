"""Plots: exact figures in their tables, nothing in their pictures that the policy forbids."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from starter.console.plots.axis import instants
from starter.console.plots.bars import Bar, bars
from starter.console.plots.plot import Plot
from starter.console.plots.timeline import TimelineStretch, timeline

MAY = datetime(2022, 5, 1, tzinfo=UTC)
MONEY = (
    Bar("2022-04", "large", 1070),
    Bar("2022-05", "large", 250),
    Bar("2022-05", "small", 15),
    Bar("2022-05", "", -5),
)
PLOTS = (
    bars('Revenue <of> "all"', MONEY, "usd", "Month"),
    timeline("Runtime", (TimelineStretch(MAY, MAY + timedelta(hours=2), "billed", "billed", "<Rule>"),)),
)


def test_the_table_has_exact_sums() -> None:
    plot = bars("Revenue", MONEY, "usd", "Month")
    assert list(plot.headings) == ["Month", "", "large", "small", "Total"]
    assert [list(row) for row in plot.rows] == [
        ["2022-04", "0.00 USD", "10.70 USD", "0.00 USD", "10.70 USD"],
        ["2022-05", "-0.05 USD", "2.50 USD", "0.15 USD", "2.60 USD"],
    ]


def test_many_classes_lose_nothing() -> None:
    plot = bars("Hours", tuple(Bar("2022-05", f"c{n:02}", n * 3_600_000_000) for n in range(12)), "hours", "Month")
    assert len(plot.legend) == 8
    assert plot.headings[-2:] == ["others", "Total"]
    assert plot.rows[0][-1] == "66.00 h"


@pytest.mark.parametrize("plot", PLOTS, ids=["bars", "timeline"])
def test_a_picture_is_inert_and_takes_the_themes_colours(plot: Plot) -> None:
    for picture in (plot.wide, plot.narrow):
        assert 'role="img" aria-label="' in picture
        assert not re.search(r"<script|style=|\son\w+=|<image|<foreignObject|<of>|#f[01]000", picture)
        assert set(re.findall(r'https?://[^"]*', picture)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert "var(--plot-1)" in picture


def test_nothing_to_show() -> None:
    assert (bars("Revenue", (), "usd", "Month").wide, timeline("Runtime", ()).wide) == ("", "")


@pytest.mark.parametrize("most", [2, 3, 10])
@pytest.mark.parametrize("minutes", [0.2, 10, 59, 61, 47 * 60, 71 * 60, 5 * 1440, 31 * 1440, 400 * 1440, 9000 * 1440])
def test_an_axis_names_instants_that_differ(minutes: float, most: int) -> None:
    """Of three days it said `01 May` four times; of a month on a phone it named one day."""
    first = MAY + timedelta(seconds=17)
    last = first + timedelta(minutes=minutes)
    found, form = instants(first, last, most)
    assert 2 <= len(found) <= most
    assert all(first <= each <= last for each in found)
    assert len({each.strftime(form) for each in found}) == len(found)
