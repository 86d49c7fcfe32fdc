"""Bars by month or day, stacked by class: of money in one currency, or of hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import altair

from billing.money import format_amount, to_major
from billing.text import plural
from starter.console.plots.plot import Plot
from starter.console.plots.svg import COLOURS, NARROW, WIDE, svg

HOURS = "hours"
"""The unit of durations in microseconds; every other unit is a currency, of amounts in minor units."""

_OTHERS = "others"
_HOUR_US = 3_600_000_000
_HEIGHT = 180
_LABEL = "length(datum.value) > 7 ? substring(datum.value, 5) : datum.value"  # 05-31 instead of 2022-05-31


@dataclass(frozen=True)
class Bar:
    """A part of a bar: what a class came to in a month or on a day, in minor units or microseconds."""

    at: str
    series: str
    value: int


@lru_cache(maxsize=512)
def bars(
    title: str,
    parts: tuple[Bar, ...],
    unit: str,
    heading: str,
    between: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
) -> Plot:
    """Return stacked bars, in the order of `at`; the smallest series beyond eight are summed up as `others`.

    Args:
        title: the plot's.
        parts: of the bars. Several of one series at one place are added up.
        unit: `hours`, or a currency such as `usd`.
        heading: what `at` is: `Month` or `Day`.
        between: places that are shown even if nothing is there.
        known: all series of the page's plots, so that one has the same colour in all of them.
    """
    sums = _summed(parts)
    if not sums:
        return Plot(title)
    places = sorted({*between, *(at for at, _ in sums)})
    series = _by_size(sums)
    description = f"{plural(len(places), heading.lower())} from {places[0]} to {places[-1]}, {', '.join(series)}."
    numbers = _numbers(series, known)
    wide, narrow = (svg(_chart(sums, places, numbers, unit, width), title, description) for width in (WIDE, NARROW))
    total = len(series) > 1
    rows = [
        [at, *(_shown(sums.get((at, each), 0), unit) for each in series)]
        + ([_shown(sum(sums.get((at, each), 0) for each in series), unit)] if total else [])
        for at in places
    ]
    legend = list(numbers.items())
    return Plot(title, wide, narrow, legend, [heading, *series, *(["Total"] if total else [])], rows)


def _summed(parts: Sequence[Bar]) -> dict[tuple[str, str], int]:
    """Return the value of each series at each place, of at most as many series as there are colours."""
    by_series: dict[str, int] = {}
    for part in parts:
        by_series[part.series] = by_series.get(part.series, 0) + abs(part.value)
    largest = sorted(by_series, key=lambda each: -by_series[each])
    kept = set(largest if len(largest) <= len(COLOURS) else largest[: len(COLOURS) - 1])
    sums: dict[tuple[str, str], int] = {}
    for part in parts:
        place = (part.at, part.series if part.series in kept else _OTHERS)
        sums[place] = sums.get(place, 0) + part.value
    return sums


def _by_size(sums: dict[tuple[str, str], int]) -> list[str]:
    """Return the series by name, `others` last."""
    return sorted({series for _, series in sums}, key=lambda each: (each == _OTHERS, each))


def _numbers(series: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Return the number of the colour of each series: its place among the known ones, if there are colours for all."""
    everyone = sorted({*known, *series}, key=lambda each: (each == _OTHERS, each))
    order = everyone if len(everyone) <= len(COLOURS) else series
    return {each: order.index(each) + 1 for each in series}


def _chart(
    sums: dict[tuple[str, str], int], places: list[str], numbers: dict[str, int], unit: str, width: int
) -> dict[str, Any]:
    rows = [
        {"at": at, "series": each, "order": numbers[each], "value": float(_major(value, unit))}
        for (at, each), value in sums.items()
    ]
    few = width == NARROW
    scale = altair.Scale(domain=list(numbers), range=[COLOURS[number - 1] for number in numbers.values()])
    chart = (
        altair.Chart(altair.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=altair.X(
                "at:O",
                title=None,
                scale=altair.Scale(domain=places),
                axis=altair.Axis(labelAngle=0, ticks=False, labelExpr=_LABEL),
            ),
            y=altair.Y(
                "value:Q", title=unit.upper() if unit != HOURS else "h", axis=altair.Axis(format=",~f", tickCount=4)
            ),
            color=altair.Color("series:N", scale=scale, legend=None),
            order=altair.Order("order:Q"),
        )
        .properties(width=width - 60, height=_HEIGHT * 3 // 4 if few else _HEIGHT)
    )
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found


def _major(value: int, unit: str) -> Decimal:
    return Decimal(value) / _HOUR_US if unit == HOURS else to_major(value, unit)


def _shown(value: int, unit: str) -> str:
    return f"{_major(value, unit):,.2f} h" if unit == HOURS else format_amount(value, unit)


def warm_up() -> None:
    """Load and start the renderer, which takes a second."""
    bars("Warm-up", (Bar("2022-01", "default", 1),), HOURS, "Month")
