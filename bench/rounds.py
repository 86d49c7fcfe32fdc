"""A part that is measured several times: the median of each figure counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from bench.figures import Figure


def medians(measure: Callable[[], list[Figure]], rounds: int) -> list[Figure]:
    """Measure `rounds` times and return each figure once, with its median and the values of all rounds.

    Figures belong together if part, name and unit are the same, and, where that is so of several, in their order.
    """
    values: dict[tuple[str, str, str, int], list[float]] = defaultdict(list)
    first: dict[tuple[str, str, str, int], Figure] = {}
    for _ in range(rounds):
        seen: dict[tuple[str, str, str], int] = defaultdict(int)
        for figure in measure():
            name = (figure.part, figure.name, figure.unit)
            key = (*name, seen[name])
            seen[name] += 1
            values[key].append(figure.value)
            first.setdefault(key, figure)
    return [replace(first[key], value=median(each), rounds=tuple(each)) for key, each in values.items()]
