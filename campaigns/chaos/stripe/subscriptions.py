"""Random Stripe subscriptions: with one price, or with all that Stripe has: trials, cycles, currencies and pauses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from campaigns.chaos.histories import DAY, EPOCH, HOUR, SECOND

CURRENCIES = ("usd", "usd", "eur", "jpy", "kwd")
StripeUse = Literal["plain", "full"]
"""How Stripe is used: subscriptions that begin and end, or also trials, cycles, several currencies, and pauses."""
STRIPE_USES: tuple[StripeUse, ...] = get_args(StripeUse)
Interval = Literal["year", "month", "week"]
VERSION = "2026-10-28.endive"
"""The API version of the person in the dashboard."""
_FREE = 0.3
_VERSIONS = (VERSION, "2020-08-27", "2022-11-15", "2024-06-20")


@dataclass
class Subscription:
    """A Stripe subscription; times are whole seconds of Stripe's clock, in µs. `storm`: canceled during the storm.

    `trial`: the end of its trial, from which on it is paid. `held`: when its collection is paused, with invoices that
    stay drafts; it goes on after the storm. `free`: when its collection is paused so that the service is free.
    """

    start: int
    end: int | None = None
    storm: bool = False
    currency: str = "usd"
    interval: Interval = "year"
    trial: int | None = None
    held: int | None = None
    free: tuple[int, int] | None = None

    @property
    def paid_from(self) -> int:
        """The start of its paid time."""
        return self.start if self.trial is None else self.trial

    @property
    def paid(self) -> list[tuple[int, int | None]]:
        """The stretches of its paid time, whose end nobody knows yet."""
        if self.free is None:
            return [(self.paid_from, None)]
        return [(self.paid_from, self.free[0]), (self.free[1], None)]

    @property
    def is_short(self) -> bool:
        """Whether its usage is on its own invoices: a yearly one leaves it to the monthly runs."""
        return self.interval != "year"

    def cycle_ends(self, until: int) -> list[int]:
        """Return the instants up to `until` at which a cycle ends and Stripe makes an invoice that can have usage."""
        found, number = [self.paid_from] if self.trial is not None else [], 1
        last = until if self.end is None else min(until, self.end - 1)
        while self.is_short and (at := moved(self.paid_from, self.interval, number)) <= last:
            found.append(at)
            number += 1
        low, high = self.free or (0, 0)  # its invoices are void then
        return [at for at in found if self.is_short and at <= last and not low <= at < high]


def moved(at: int, interval: Interval, count: int) -> int:
    """Return the instant so many intervals later; of months the day of the month is at most 28."""
    if interval == "week":
        return at + count * 7 * DAY
    instant = EPOCH + timedelta(microseconds=at)
    years, month = divmod(instant.month - 1 + count * (12 if interval == "year" else 1), 12)
    later = instant.replace(year=instant.year + years, month=month + 1)
    return (later - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Cycles:
    """The month's bounds in µs, and the one instant of the storm at which cycles of `interval` end.

    `storm_begins`: Stripe's clock before it. The storm moves it by less than a day, as long as Stripe keeps keys.
    """

    start: int
    end: int
    interval: Interval
    storm: int
    version: str = VERSION
    """The account's API version, in which events are rendered."""

    @property
    def storm_begins(self) -> int:
        """Stripe's clock at the beginning of the storm."""
        return self.storm - 13 * HOUR


def random_cycles(rng: random.Random, start: int, end: int) -> Cycles:
    """Return when cycles end: after the month, on any day that all months have."""
    interval: Interval = rng.choice(("month", "month", "week"))
    while True:
        at = second(rng, end + 14 * HOUR, end + 24 * DAY)
        if (EPOCH + timedelta(microseconds=at)).day <= 28:
            return Cycles(start, end, interval, at, rng.choice(_VERSIONS))


def plain_subscriptions(rng: random.Random, start: int, storm: int) -> list[Subscription]:
    """Return a subscription around that month, or two of which the first is canceled. `storm`: when that begins."""
    first = Subscription(second(rng, start - 20 * DAY, start + 10 * DAY))
    kind = rng.random()
    if kind < 0.5:
        first.end, first.storm = _in_storm(rng, storm), True
    elif kind < 0.8:
        first.end = second(rng, first.start + HOUR, start + 20 * DAY)
        if rng.random() < 0.6:
            again = Subscription(second(rng, first.end, start + 25 * DAY))
            if rng.random() < 0.5:
                again.end, again.storm = _in_storm(rng, storm), True
            return [first, again]
    return [first]


def full_subscriptions(rng: random.Random, cycles: Cycles, currency: str) -> list[Subscription]:
    """Return subscriptions of any kind, in the given currency or first in that."""
    kind = rng.random()
    if kind < 0.2:
        found = plain_subscriptions(rng, cycles.start, cycles.storm_begins)
    elif kind < 0.35:
        return _in_another_currency(rng, cycles, currency)
    elif kind < 0.5:
        found = [_yearly(rng, cycles)]
    else:
        found = [_short(rng, cycles)]
    for each in found:
        each.currency = currency
    low, high = found[0].paid_from, cycles.storm_begins - HOUR
    if found[0].held is None and found[0].end is None and low < high - HOUR and rng.random() < _FREE:
        bounds = [second(rng, low, high) for _ in range(2)]
        found[0].free = min(bounds), max(bounds) + SECOND
    return found


def _in_another_currency(rng: random.Random, cycles: Cycles, currency: str) -> list[Subscription]:
    """Return a subscription that is canceled before the storm, and a second, in another currency, canceled in it.

    As long as the second lasts, Stripe takes no invoice in the first one's currency.
    """
    first = Subscription(second(rng, cycles.start - 20 * DAY, cycles.start - DAY), currency=currency)
    first.end = second(rng, first.start + HOUR, cycles.start + 15 * DAY)
    other = rng.choice([each for each in CURRENCIES if each != currency])
    again = Subscription(second(rng, first.end + SECOND, cycles.start + 25 * DAY), currency=other)
    if rng.random() < 0.5:
        later = [at for at in _beginnings(cycles) if at > first.end]
        if later:
            again = Subscription(rng.choice(later), currency=other, interval=cycles.interval)
    again.end, again.storm = _in_storm(rng, cycles.storm_begins), True
    return [first, again]


def _yearly(rng: random.Random, cycles: Cycles) -> Subscription:
    """Return a yearly subscription with a trial or with paused collection. Some are canceled within the trial."""
    made = Subscription(second(rng, cycles.start - 20 * DAY, cycles.start + 15 * DAY))
    if rng.random() < 0.7:
        made.trial = second(rng, made.start + HOUR, made.start + rng.choice((5, 20, 40)) * DAY)
        if rng.random() < 0.4:
            made.end, made.storm = _in_storm(rng, cycles.storm_begins), True
    else:
        made.held = _paused(cycles)
    return made


def _short(rng: random.Random, cycles: Cycles) -> Subscription:
    """Return a subscription with short cycles, some with a trial, canceled in the storm or before it, or paused."""
    paid = rng.choice(_beginnings(cycles))
    made = Subscription(paid, interval=cycles.interval)
    if rng.random() < 0.4:
        made.start = second(rng, max(paid - 10 * DAY, cycles.start - 20 * DAY), paid)
        made.trial = paid
    kind = rng.random()
    if kind < 0.2:
        made.end, made.storm = _in_storm(rng, cycles.storm_begins), True
    elif kind < 0.3:
        made.end = second(rng, made.start + HOUR, cycles.storm_begins - HOUR)
    elif kind < 0.55:
        made.held = _paused(cycles)
    return made


def _beginnings(cycles: Cycles) -> list[int]:
    """Return the instants at which a cycle can have begun so that one ends in the storm."""
    before = [moved(cycles.storm, cycles.interval, -count) for count in range(1, 6)]
    return [at for at in before if at > cycles.start - 20 * DAY]


def second(rng: random.Random, low: int, high: int) -> int:
    """Return a whole second between two instants."""
    return rng.randrange(low // SECOND + 1, high // SECOND) * SECOND


def _in_storm(rng: random.Random, begins: int) -> int:
    return second(rng, begins + HOUR, begins + 11 * HOUR)


def _paused(cycles: Cycles) -> int:
    return cycles.storm_begins - HOUR // 2
