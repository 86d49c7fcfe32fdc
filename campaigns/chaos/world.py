"""A random month of rates, accounts, windows and instances, from one seed. Instants are µs since 1970, in UTC."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from campaigns.chaos.histories import DAY, EPOCH, HOUR, STORM_WAVES
from campaigns.chaos.instances import ChaosInstance, MonthSpans, Way, random_instance, random_slices
from campaigns.chaos.stripe.subscriptions import (
    CURRENCIES,
    STRIPE_USES,
    Cycles,
    StripeUse,
    Subscription,
    full_subscriptions,
    moved,
    plain_subscriptions,
    random_cycles,
)
from campaigns.chaos.truth import EVER, Pieces, merged

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu")
Span = tuple[int, int | None]
Arrival = Literal["files", "live"]
"""How usage arrives: by files that an operator imports, or by itself, from a database and over the API."""
ARRIVALS: tuple[Arrival, ...] = get_args(Arrival)
_API_WAYS: tuple[Way, ...] = ("rows", "events")
_LIVE_WAYS: tuple[Way, ...] = ("query", "query", *_API_WAYS)


def micros(instant: datetime) -> int:
    """Return an aware instant as µs since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def iso(at: int | None) -> str:
    """Return the instant in ISO 8601; empty for None."""
    return "" if at is None else (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Rate:
    """Rates and prices in force from an instant; minimum charges in minor units."""

    since: int
    credits_per_minute: dict[str, str]
    price: dict[str, str]
    minimum: dict[str, int]


@dataclass
class ChaosAccount:
    """An account. With subscriptions it comes from Stripe, otherwise from a file with its windows.

    `shares`: its instances and those of the next account can change to the other one. `way`: that of its instances,
    which is also the one of accounts that it shares instances with.
    """

    attribution_id: str
    currency: str
    windows: list[Span] = field(default_factory=list)
    bill_after: int | None = None
    subscriptions: list[Subscription] = field(default_factory=list)
    customer_first: bool = False
    pays: bool = False
    instances: list[ChaosInstance] = field(default_factory=list)
    shares: bool = False
    way: Way = "file"

    @property
    def currencies(self) -> list[str]:
        """The currencies of its windows, the earliest one's first."""
        return list(dict.fromkeys(each.currency for each in self.subscriptions)) or [self.currency]


@dataclass
class ChaosWorld:
    """Everything to bill. `month` is billed in the storm, `following` after it; some windows end in `before`."""

    zone: str
    before: str
    month: str
    following: str
    start: int
    end: int
    following_end: int
    rates: list[Rate]
    accounts: list[ChaosAccount]
    strangers: list[ChaosInstance]
    arrival: Arrival = "files"
    cycles: Cycles | None = None
    """The cycles of subscriptions, where all of Stripe is used."""

    @property
    def storm_begins(self) -> int:
        """Stripe's clock at the beginning of the storm."""
        return self.end + HOUR if self.cycles is None else self.cycles.storm_begins

    @property
    def last_cycle(self) -> int:
        """The latest end of a cycle: one comes after the month that follows."""
        return 0 if self.cycles is None else moved(self.cycles.storm, "month", 1)

    @property
    def months(self) -> list[str]:
        """All months that an invoice can be of."""
        return [self.before, self.month, self.following, self.month_of(self.following_end + 1)]

    def month_of(self, cutoff: int) -> str:
        """Return the month that is the last one before an instant."""
        return f"{(EPOCH + timedelta(microseconds=cutoff - 1)).astimezone(ZoneInfo(self.zone)):%Y-%m}"

    @property
    def groups(self) -> list[list[ChaosAccount]]:
        """The accounts, together with those that they share instances with."""
        found: list[list[ChaosAccount]] = []
        for account in self.accounts:
            if found and found[-1][-1].shares:
                found[-1].append(account)
            else:
                found.append([account])
        return found

    @property
    def has_source(self) -> bool:
        """Whether some instances are reported by a query."""
        return any(each.way == "query" for each in self.instances)

    @property
    def instances(self) -> list[ChaosInstance]:
        """All instances, also those that no account pays for."""
        return [*(each for account in self.accounts for each in account.instances), *self.strangers]


def paid_windows(account: ChaosAccount, cancelled: Iterable[tuple[str, int]], currency: str | None = None) -> Pieces:
    """Return when the account pays, in that currency or in any. Trials and free services are not paid."""
    own = [
        (opened, closed or (each.end if (account.attribution_id, number) in cancelled else None))
        for number, each in enumerate(account.subscriptions)
        for opened, closed in each.paid
        if currency in (None, each.currency)
    ]
    windows = [(opened, EVER if closed is None else closed) for opened, closed in [*account.windows, *own]]
    return merged((opened, closed) for opened, closed in windows if opened < closed)


def month_bounds(year: int, month: int, zone: str, count: int = 3) -> list[int]:
    """Return the first instants of `count` consecutive months."""
    starts = []
    for number in range(count):
        years, rest = divmod(month - 1 + number, 12)
        starts.append(micros(datetime(year + years, rest + 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)))
    return starts


def arrival_of(seed: int) -> Arrival:
    """Return how usage arrives in the campaign of this seed, unless it is said otherwise: in turn."""
    return ARRIVALS[seed % len(ARRIVALS)]


def stripe_of(seed: int) -> StripeUse:
    """Return how Stripe is used in the campaign of this seed, likewise: in turn, with each way of arriving."""
    return STRIPE_USES[seed // len(ARRIVALS) % len(STRIPE_USES)]


def make_world(seed: int, accounts: int, arrival: Arrival = "files", stripe: StripeUse = "plain") -> ChaosWorld:
    """Return the month of this seed."""
    rng = random.Random(f"world {seed}")
    zone = rng.choice(ZONES)
    year, month = rng.choice((2023, 2024, 2025)), rng.choice((*range(1, 12), 3, 3, 10, 11, 11, 4))
    start, end, following_end = month_bounds(year, month, zone)
    world = ChaosWorld(
        zone=zone,
        before=f"{year - (month == 1)}-{(month - 2) % 12 + 1:02d}",
        month=f"{year}-{month:02d}",
        following=f"{year}-{month + 1:02d}",
        start=start,
        end=end,
        following_end=following_end,
        rates=_rates(rng, start, following_end),
        accounts=[],
        strangers=[],
        arrival=arrival,
        cycles=random_cycles(random.Random(f"cycles {seed}"), start, end) if stripe == "full" else None,
    )
    for number in range(accounts):
        world.accounts.append(_account(rng, world, number))
    for first in world.accounts[:-1:2]:
        first.shares = rng.random() < 0.5
    _fill(rng, world)
    return world


def _fill(rng: random.Random, world: ChaosWorld) -> None:
    """Draw the instances of all accounts, and some that nobody pays for."""
    is_live = world.arrival == "live"
    slices = random_slices(rng, world.start, world.end) if is_live else ()
    changes = tuple(rate.since for rate in world.rates[1:])
    spans = MonthSpans(world.start, world.end, world.following_end, changes, slices)
    ways: tuple[Way, ...] = rng.choice((_LIVE_WAYS, _LIVE_WAYS, _API_WAYS)) if is_live else ("file",)
    number = 0
    for group in world.groups:
        late = sorted(rng.sample(STORM_WAVES, 2)) if rng.random() < 0.6 else []
        way = rng.choice(ways)
        for account in group:
            account.way = way
            payers = [account.attribution_id, *(each.attribution_id for each in group if each is not account)]
            account.instances = [
                random_instance(rng, spans, f"i{number:04d}-{which}", payers, late, way)
                for which in range(rng.randrange(6))
            ]
            number += 1
    for number in range(len(world.accounts) // 10):
        world.strangers.append(random_instance(rng, spans, f"ix{number}", ["team:nobody"], [], rng.choice(ways)))


def _rates(rng: random.Random, start: int, following_end: int) -> list[Rate]:
    since = [start - 400 * DAY]
    if rng.random() < 0.7:
        since.append(rng.randrange(start, following_end))
    return [
        Rate(
            since=at,
            credits_per_minute={name: f"0.{rng.randrange(1, 10**9):010d}" for name in ("default", "xl", "gpu")},
            price={
                "usd": f"0.{rng.randrange(10**6, 10**8):09d}",
                "eur": f"0.{rng.randrange(10**6, 10**8):09d}",
                "jpy": f"{rng.randrange(1, 9)}.{rng.randrange(10**6):06d}",
                "kwd": f"0.0{rng.randrange(1, 10**6):07d}",
            },
            minimum=rng.choice(({}, {"usd": 50, "eur": 50}, {"usd": 50, "eur": 50, "jpy": 50, "kwd": 500})),
        )
        for at in since
    ]


def _account(rng: random.Random, world: ChaosWorld, number: int) -> ChaosAccount:
    account = ChaosAccount(
        attribution_id=f"{rng.choice(('team', 'team', 'user'))}:a{number:04d}",
        currency=rng.choice(CURRENCIES),
        customer_first=rng.random() < 0.5,
        pays=rng.random() < 0.3,
    )
    before = world.start - rng.randrange(1, 25) * DAY + rng.randrange(DAY)
    kind = rng.random()
    if world.cycles is not None and kind < 0.5:
        account.subscriptions = full_subscriptions(rng, world.cycles, account.currency)
        account.customer_first = account.pays = True  # a subscription that is not paid does not begin
    elif kind < 0.15:
        account.subscriptions = plain_subscriptions(rng, world.start, world.storm_begins)
        for each in account.subscriptions:
            each.currency = account.currency
    elif kind < 0.55:
        account.windows = [(before, None)]
    elif kind < 0.7:
        account.windows = [(before, rng.randrange(world.start, world.following_end))]
    elif kind < 0.9:
        account.windows = _returns(rng, world, before)
    if not account.subscriptions and rng.random() < 0.2:
        account.bill_after = rng.randrange(world.start - 10 * DAY, world.following_end)
    return account


def _returns(rng: random.Random, world: ChaosWorld, before: int) -> list[Span]:
    """Return the windows of an account that cancels and returns once or twice, sometimes at the same instant."""
    bounds = sorted(rng.sample(range(world.start, world.following_end), 4))
    if rng.random() < 0.3:
        bounds[1] = bounds[0]
    return [(before, bounds[0]), (bounds[1], bounds[2]), *([(bounds[3], None)] if rng.random() < 0.7 else [])]
