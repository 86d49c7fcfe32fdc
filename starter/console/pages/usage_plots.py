"""Plots of usage by day and class."""

from __future__ import annotations

from collections.abc import Sequence

from starter.console.plots.bars import Bar, bars
from starter.console.plots.plot import Plot, drawn
from storage.totals.totals import DayTotal

_TIERS = "tiers and included credits"


async def by_day(title: str, days: Sequence[DayTotal], empty: str) -> list[Plot]:
    """Return what usage came to by day and class, a plot for each currency; without any, one with the text `empty`."""
    plots = []
    for currency in sorted({each.currency for each in days}):
        parts = tuple(
            Bar(str(each.day), each.workspace_class or _TIERS, each.amount)
            for each in days
            if each.currency == currency
        )
        plots.append(await drawn(bars, f"{title}, {currency.upper()}", parts, currency, "Day"))
    return plots or [Plot(title, empty=empty)]
