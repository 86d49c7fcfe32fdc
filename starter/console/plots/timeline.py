"""The runtime of an instance as a bar: its stretches, coloured by their fate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import altair

from billing.text import plural
from starter.console.plots.axis import instants
from starter.console.plots.plot import Plot
from starter.console.plots.svg import COLOURS, NARROW, WIDE, svg

NUMBERS: Mapping[str, int] = {
    "billed": 1,
    "unbilled": 2,
    "open": 3,
    "written_off": 4,
    "trial": 5,
    "uncovered": 6,
    "collection_paused": 7,
    "invalid": 8,
}
"""The colour of each fate; every other one has that of usage outside all windows."""
_OTHER = NUMBERS["uncovered"]
_HEIGHT = 40
_LABEL_WIDTH = 106


@dataclass(frozen=True)
class TimelineStretch:
    """A stretch of runtime. `fate`: its name. `words`: what it means, for the legend. `rule`: why, in a sentence."""

    start: datetime
    end: datetime
    fate: str
    words: str
    rule: str = ""


@lru_cache(maxsize=512)
def timeline(title: str, stretches: tuple[TimelineStretch, ...]) -> Plot:
    """Return the bar, from the first stretch to the last; what lies between two stays empty."""
    if not stretches:
        return Plot(title, empty="It has no runtime.")
    fates = list(dict.fromkeys((each.words, NUMBERS.get(each.fate, _OTHER)) for each in stretches))
    first, last = min(each.start for each in stretches), max(each.end for each in stretches)
    description = (
        f"{plural(len(stretches), 'stretch', 'stretches')} from {_text(first)} to {_text(last)} UTC: "
        f"{', '.join(words for words, _ in fates)}."
    )
    wide, narrow = (svg(_chart(stretches, width), title, description) for width in (WIDE, NARROW))
    rows = [[_text(each.start), _text(each.end), each.words, each.rule] for each in stretches]
    return Plot(title, wide, narrow, fates, ["From (UTC)", "To (UTC)", "Fate", "Why"], rows)


def _chart(stretches: tuple[TimelineStretch, ...], width: int) -> dict[str, Any]:
    used = sorted({NUMBERS.get(each.fate, _OTHER) for each in stretches})
    rows = [
        {
            "start": each.start.astimezone(UTC).isoformat(),
            "end": each.end.astimezone(UTC).isoformat(),
            "colour": str(NUMBERS.get(each.fate, _OTHER)),
        }
        for each in stretches
    ]
    scale = altair.Scale(domain=[str(each) for each in used], range=[COLOURS[each - 1] for each in used])
    first, last = min(each.start for each in stretches), max(each.end for each in stretches)
    ticks, form = instants(first, last, width // _LABEL_WIDTH)
    chart = (
        altair.Chart(altair.InlineData(values=rows))
        .mark_bar(height=_HEIGHT - 8, cornerRadius=2)
        .encode(
            x=altair.X(
                "start:T",
                title=None,
                scale=altair.Scale(type="utc", nice=False),
                axis=altair.Axis(
                    grid=False,
                    values=[each.timestamp() * 1000 for each in ticks],
                    format=form,
                    labelOverlap=False,
                    labelFlush=_LABEL_WIDTH // 2,
                ),
            ),
            x2="end:T",
            color=altair.Color("colour:N", scale=scale, legend=None),
        )
        .properties(width=width - 40, height=_HEIGHT)
    )
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
