"""A naive reference for billable usage: time is cut into cells, and everything is a set of cells.

It shares no code with the product: no ranges, no Decimal, one loop per rule.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

US = timedelta(microseconds=1)
MAY, JUNE = datetime(2022, 5, 1, tzinfo=UTC), datetime(2022, 6, 1, tzinfo=UTC)
FIRST, LAST = datetime(2022, 4, 20, tzinfo=UTC), datetime(2022, 7, 1, tzinfo=UTC)
MINOR_UNITS = {"usd": 100, "jpy": 1, "kwd": 1000, "isk": 100}
STEPS = {"usd": 1, "jpy": 1, "kwd": 10, "isk": 100}


@dataclass(frozen=True)
class ReferenceWindow:
    """`kind`: paid, trial or collection_paused."""

    start: datetime
    end: datetime | None
    kind: str
    currency: str


@dataclass
class ReferenceAccount:
    attribution_id: str
    currency: str
    bill_after: datetime | None
    windows: list[ReferenceWindow]

    @property
    def currencies(self) -> set[str]:
        return {window.currency for window in self.windows} or {self.currency}


@dataclass
class ReferenceInstance:
    id: str
    attribution_id: str
    workspace_class: str | None
    creation_time: datetime
    started: datetime
    ended: datetime | None


@dataclass
class ReferenceWorld:
    """Random accounts, instances and rates, and the claims so far, by (instance, cell)."""

    rng: random.Random
    edges: list[datetime]
    accounts: list[ReferenceAccount] = field(default_factory=list)
    instances: list[ReferenceInstance] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    claims: dict[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def make(cls, seed: int) -> ReferenceWorld:
        rng = random.Random(seed)
        span = (LAST - FIRST) // US
        edges = {FIRST + rng.randrange(span) * US for _ in range(14)} | {FIRST, MAY, JUNE, LAST}
        edges |= {rng.choice(sorted(edges)) + rng.choice([-1, 1]) * US for _ in range(4)}
        world = cls(rng, sorted(edge for edge in edges if FIRST <= edge <= LAST))
        world.accounts = [world._account(f"team:{number}") for number in range(4)]
        world.rates = world._rates()
        return world

    def _account(self, attribution_id: str) -> ReferenceAccount:
        bounds = sorted(self.rng.sample(self.edges, 6))
        currency = self.rng.choice(list(MINOR_UNITS))
        windows = [
            ReferenceWindow(start, end, self._kind(), self.rng.choice([currency, currency, *MINOR_UNITS]))
            for start, end in zip(bounds[::2], bounds[1::2], strict=True)
            if self.rng.random() < 0.8
        ]
        if windows and self.rng.random() < 0.5:
            windows[-1] = replace(windows[-1], end=None)
        bill_after = self.rng.choice([None, None, self.rng.choice(self.edges)])
        return ReferenceAccount(attribution_id, currency, bill_after, windows)

    def _kind(self) -> str:
        return self.rng.choice(["paid", "paid", "paid", "trial", "collection_paused"])

    def _rates(self) -> list[dict[str, Any]]:
        starts = sorted(self.rng.sample(self.edges, 2))
        starts[0] = self.rng.choice([starts[0], FIRST - 900 * US])
        return [
            {
                "effective_from": start,
                "credits_per_minute": {"default": self._number(), "xl": self._number()},
                "price_per_credit": {currency: self._number() for currency in MINOR_UNITS},
                "minimum_charge": {"usd": str(self.rng.randrange(400)), "jpy": "7"},
            }
            for start in starts
        ]

    def _number(self) -> str:
        return f"0.{self.rng.randrange(1, 10**8):09d}"

    def add_instances(self, count: int) -> list[ReferenceInstance]:
        """Add random instances of the accounts."""
        added = [self._instance(f"i{len(self.instances) + n:03d}") for n in range(count)]
        self.instances += added
        return added

    def _instance(self, instance_id: str) -> ReferenceInstance:
        start, end = sorted(self.rng.choices(self.edges, k=2))
        return ReferenceInstance(
            id=instance_id,
            attribution_id=self.rng.choice(self.accounts).attribution_id,
            workspace_class=self.rng.choice(["default", "xl", "gpu", None]),
            creation_time=start + timedelta(days=2) if self.rng.random() < 0.1 else start,
            started=start,
            ended=None if self.rng.random() < 0.2 else end,
        )

    def length(self, cell: int) -> int:
        """Return the microseconds of a cell; cell n lasts from edge n to the next."""
        return (self.edges[cell + 1] - self.edges[cell]) // US

    def cells(self, start: datetime | None, end: datetime | None) -> set[int]:
        return {
            cell
            for cell, edge in enumerate(self.edges[:-1])
            if (start is None or edge >= start) and (end is None or edge < end)
        }

    def kind(self, account: ReferenceAccount, cell: int) -> str:
        """Return the kind of the account's window that the cell is in, or `uncovered`."""
        window = self.window(account, cell)
        return window.kind if window else "uncovered"

    def window(self, account: ReferenceAccount, cell: int) -> ReferenceWindow | None:
        return next((w for w in account.windows if cell in self.cells(w.start, w.end)), None)

    def paid(self, account: ReferenceAccount, currency: str) -> set[int]:
        """Return the cells in the account's windows that are charged in this currency."""
        windows = [window for window in account.windows if (window.kind, window.currency) == ("paid", currency)]
        return set[int]().union(*(self.cells(window.start, window.end) for window in windows))

    def floor_of(self, account: ReferenceAccount, bill_after: datetime | None) -> datetime | None:
        return max((bound for bound in (account.bill_after, bill_after) if bound), default=None)

    def billable(
        self, instance: ReferenceInstance, currency: str, cutoff: datetime, bill_after: datetime | None
    ) -> set[int]:
        """Return the cells that are billable in this currency and have a rate."""
        account = next(a for a in self.accounts if a.attribution_id == instance.attribution_id)
        if instance.creation_time > instance.started:
            return set()
        cells = self.cells(instance.started, instance.ended) & self.paid(account, currency)
        cells &= self.cells(self.floor_of(account, bill_after), cutoff)
        cells &= self.cells(self.rates[0]["effective_from"], None)
        return {cell for cell in cells if (instance.id, cell) not in self.claims}

    def rate_of(self, cell: int) -> dict[str, Any]:
        return [rate for rate in self.rates if rate["effective_from"] <= self.edges[cell]][-1]

    def price(self, rate: dict[str, Any], workspace_class: str, currency: str, us: int) -> int:
        """Return the line's amount in minor units."""
        per_minute = rate["credits_per_minute"].get(workspace_class, rate["credits_per_minute"]["default"])
        credits = Fraction(round(Fraction(us) * Fraction(per_minute) / 60), 10**6)  # half-even
        major = credits * Fraction(rate["price_per_credit"][currency])
        return floor(major * MINOR_UNITS[currency] / STEPS[currency] + Fraction(1, 2)) * STEPS[currency]

    def minimum(self, cutoff: datetime, currency: str) -> int:
        before = [rate for rate in self.rates if rate["effective_from"] < cutoff]
        text: str = before[-1]["minimum_charge"].get(currency, "0") if before else "0"
        return int(text) * MINOR_UNITS[currency]

    def excluded(self, bill_after: datetime | None) -> dict[tuple[str, str], int]:
        """Return the excluded microseconds of May, by instance and reason."""
        may = self.cells(MAY, JUNE)
        found: dict[tuple[str, str], int] = {}
        for instance in self.instances:
            account = next(a for a in self.accounts if a.attribution_id == instance.attribution_id)
            early = self.floor_of(account, bill_after)
            for cell in self.cells(instance.started, instance.ended) & may:
                if (instance.id, cell) in self.claims:
                    continue
                if instance.creation_time > instance.started:
                    reason = "starts_before_creation"
                elif (kind := self.kind(account, cell)) != "paid":
                    reason = kind
                elif early is not None and self.edges[cell] < early:
                    reason = "before_bill_after"
                elif self.edges[cell] < self.rates[0]["effective_from"]:
                    reason = "before_first_rate"
                else:
                    continue
                key = (instance.id, reason)
                found[key] = found.get(key, 0) + self.length(cell)
        return found
