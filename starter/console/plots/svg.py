"""Charts to SVG: no script, no style attribute, no address; colours are variables that the page's theme sets."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import vl_convert

WIDE, NARROW = 1080, 320
"""Widths in pixels: for large screens and for phones."""
COLOURS = tuple(f"#f0000{number}" for number in range(1, 9))
"""What stands for `--plot-1` to `--plot-8` in a chart."""
LINE, TEXT = "#f10001", "#f10002"
"""What stands for the colours of lines and of text."""

_VARIABLES = {**{mark: f"var(--plot-{number})" for number, mark in enumerate(COLOURS, 1)}}
_VARIABLES |= {LINE: "var(--plot-line)", TEXT: "var(--plot-text)"}
_COLOUR = re.compile(r'"(#f[01]0000?[0-9])"')
_PARTS = re.compile(r' (role="graphics-[a-z]+"|aria-roledescription="[^"]*")')
"""What the renderer says of a picture's parts: the picture as a whole has a description, and a table below it."""
_CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelOverlap": "greedy",
        "labelSeparation": 10,
    },
}


def svg(chart: dict[str, Any], title: str, description: str) -> str:
    """Return a chart as SVG.

    Args:
        chart: of Vega-Lite, as `altair.Chart.to_dict` returns it, in the colours above.
        title: what the picture shows.
        description: the same in a sentence, for those who cannot see it.
    """
    rendered: str = vl_convert.vegalite_to_svg({**chart, "config": _CONFIG}, allowed_base_urls=[])
    coloured = _COLOUR.sub(lambda found: f'"{_VARIABLES[found[1]]}"', _PARTS.sub("", rendered))
    label = escape(f"{title}. {description}")
    return coloured.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
