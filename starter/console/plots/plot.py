"""A plot as a page shows it: two pictures, a legend, and a table of the same figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec

P = ParamSpec("P")


@dataclass(frozen=True)
class Plot:
    """A plot.

    `wide` and `narrow`: SVG for large screens and for phones, "" if there is nothing to show. `legend`: each series
    with the number of its colour. `rows`: the figures as text, for those who cannot see the picture.
    """

    title: str
    wide: str = ""
    narrow: str = ""
    legend: Sequence[tuple[str, int]] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    empty: str = "There is nothing to show yet."


async def drawn(make: Callable[P, Plot], *args: P.args, **kwargs: P.kwargs) -> Plot:
    """Return a plot, made in a thread: the first time it takes a tenth of a second."""
    return await asyncio.to_thread(make, *args, **kwargs)
