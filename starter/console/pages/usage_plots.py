"""Plots of money by month or day and class, one for each currency."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from starter.console.plots.bars import Bar, bars
from starter.console.plots.plot import Plot, drawn
from storage.totals.totals import ClassTotal, DayTotal

TIERS = "included credits and tiers"
"""The series of what included credits and graduated prices take off the amounts of classes."""


async def by_day(title: str, days: Sequence[DayTotal], empty: str, between: tuple[str, ...] = ()) -> list[Plot]:
    """Return what usage came to by day and class, a plot for each currency; without any, one with the text `empty`.

    `between`: days that are shown even if nothing is there; by default those from the first to the last with usage.
    """
    between = between or _every_day([each.day for each in days])
    plots = await by_currency(title, [(each.day.isoformat(), each) for each in days], "Day", between)
    return plots or [Plot(title, empty=empty)]


def _every_day(days: Sequence[date]) -> tuple[str, ...]:
    if not days:
        return ()
    first, count = min(days), (max(days) - min(days)).days + 1
    return tuple((first + timedelta(days=number)).isoformat() for number in range(count))


async def by_currency(
    title: str,
    placed: Sequence[tuple[str, ClassTotal]],
    heading: str,
    between: tuple[str, ...],
    currencies: Sequence[str] | None = None,
) -> list[Plot]:
    """Return a plot for each currency; a class has the same colour in all of them.

    Args:
        title: of the plots, without the currency.
        placed: totals, each with the month or day at which it stands.
        heading: what stands there: `Month` or `Day`.
        between: months or days that are shown even if nothing is there.
        currencies: those to show, in this order; all if None.
    """
    classes = tuple(sorted({each.workspace_class or TIERS for _, each in placed}))
    shown = sorted({each.currency for _, each in placed}) if currencies is None else currencies
    return await asyncio.gather(
        *(
            drawn(bars, f"{title}, {currency.upper()}", _parts(placed, currency), currency, heading, between, classes)
            for currency in shown
        )
    )


def _parts(placed: Sequence[tuple[str, ClassTotal]], currency: str) -> tuple[Bar, ...]:
    return tuple(
        Bar(at, each.workspace_class or TIERS, each.amount) for at, each in placed if each.currency == currency
    )
