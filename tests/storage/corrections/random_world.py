"""Random accounts and instances whose windows, times, payers, classes and quantities change, and change back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import RateCard
from billing.usage.rows import ImportOptions, InstanceRow
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from tests.storage.corrections.naive import CellTerms, NaiveCard, NaiveVersion
from tests.storage.usage import add_account, execute, instance, may

CELLS = 92 * 4
MONTHS = (0, 31 * 4, 61 * 4)
CLASSES = ("default", "xl", "large")  # the last two cost the same
CELL = timedelta(hours=6)
QUANTITIES = tuple(map(Fraction, ("1", "1", "2", "1/2", "3")))
PRICES = {"usd": ("0.01", "0.005"), "jpy": ("1", "0.5"), "kwd": ("0.01", "0.005")}
ACCOUNTS = ("team:a", "team:b")


@dataclass(frozen=True)
class RandomRun:
    """How an instance ran: from a cell to another, or still; its terms from each cell on."""

    start: int
    end: int | None
    terms: tuple[tuple[int, CellTerms], ...]

    def at(self, cell: int) -> CellTerms | None:
        if not self.start <= cell < (CELLS if self.end is None else self.end):
            return None
        return [terms for since, terms in self.terms if since <= cell][-1]


@dataclass(frozen=True)
class RandomWindow:
    """A window of an account: its first cell, the first after it, its kind and currency."""

    start: int
    end: int | None
    kind: str
    currency: str


@dataclass
class RandomWorld:
    """`exact`: no amount is ever rounded, and each account has one currency."""

    chance: random.Random
    exact: bool
    graduated: bool
    edges: list[datetime] = field(init=False)
    card: NaiveCard = field(init=False)
    currencies: dict[str, list[str]] = field(init=False)
    windows: dict[str, list[RandomWindow]] = field(init=False)
    runs: dict[str, RandomRun] = field(default_factory=dict)
    past: list[tuple[str, RandomRun]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the instants of the cells, the rate card, the accounts' currencies and windows."""
        self.edges = [may(1) + number * CELL + self._jitter(number) for number in range(CELLS + 1)]
        self.card = self._card()
        self.currencies = {
            name: self.chance.sample(sorted(PRICES), 1 if self.exact or self.chance.random() < 0.6 else 2)
            for name in ACCOUNTS
        }
        self.windows = {name: self._windows(name) for name in ACCOUNTS}

    def _jitter(self, number: int) -> timedelta:
        if self.exact or number in (*MONTHS, CELLS):
            return timedelta(0)
        return timedelta(microseconds=self.chance.randrange(-(10**10), 10**10))

    def _card(self) -> NaiveCard:
        first_cells = (0, MONTHS[1] if self.exact else self.chance.randrange(40, 150))
        lengths = [(end - start) // timedelta(microseconds=1) for start, end in pairwise(self.edges)]
        return NaiveCard([self._version(first) for first in first_cells], MONTHS, lengths)

    def _version(self, first_cell: int) -> NaiveVersion:
        number = (
            self.chance.choice(["1", "2"])
            if self.exact
            else f"{self.chance.randrange(3)}.{self.chance.randrange(1, 10**9):09d}"
        )
        double = str(2 * Decimal(number))
        tiers = {}
        if self.graduated:
            size = 360 * self.chance.randrange(5, 40)
            for currency, prices in PRICES.items():
                two = prices if self.chance.random() < 0.7 else prices[::-1]
                if not self.exact:
                    two = (two[0] + "37", two[1] + "11") if "." in two[0] and "." in two[1] else ("1.3", "0.7")
                tiers[currency] = [(size, two[0]), (None, two[1])]
        price = {currency: prices[0] if self.exact else f"{prices[1]}77" for currency, prices in PRICES.items()}
        included = 360 * self.chance.randrange(0, 30) if self.graduated else 0
        return NaiveVersion(first_cell, {"default": number, "xl": double, "large": double}, price, tiers, included)

    def rate_card(self) -> RateCard:
        """Return the card for the product."""
        return parse_rate_card({"version": [self._described(each) for each in self.card.versions]})

    def _described(self, version: NaiveVersion) -> dict[str, Any]:
        found: dict[str, Any] = {
            "effective_from": self.edges[version.first_cell] if version.first_cell else may(-90),
            "credits_per_minute": dict(version.rates),
        }
        if version.included:
            found["included_credits"] = str(version.included)
        if not version.tiers:
            return found | {"price_per_credit": dict(version.price)}
        steps = {
            currency: [{"price": price} if end is None else {"up_to": str(end), "price": price} for end, price in tiers]
            for currency, tiers in version.tiers.items()
        }
        return found | {"tiers": steps}

    def _windows(self, name: str) -> list[RandomWindow]:
        bounds = sorted(self.chance.sample(range(1, CELLS), 2))
        starts, ends = (0, *bounds), (*bounds, None)
        return [
            RandomWindow(
                start,
                end,
                self.chance.choice(["paid", "paid", "paid", "trial"]),
                self.chance.choice(self.currencies[name]),
            )
            for start, end in zip(starts, ends, strict=True)
        ]

    def draw_run(self) -> RandomRun:
        """Draw how an instance ran."""
        start = self.chance.randrange(CELLS - 8)
        end = None if self.chance.random() < 0.3 else self.chance.randrange(start + 1, min(start + 160, CELLS) + 1)
        return RandomRun(start, end, ((start, self.draw_terms()),))

    def draw_terms(self) -> CellTerms:
        return CellTerms(self.chance.choice(ACCOUNTS), self.chance.choice(CLASSES), self.chance.choice(QUANTITIES))

    def change_run(self) -> str:
        """Change an instance's run, or change it back to what it once was. Returns its id."""
        name = self.chance.choice(sorted(self.runs))
        run = self.runs[name]
        kind = self.chance.choice(["back", "back", "end", "start", *["terms"] * 5, "later", "all"])
        earlier = [old for of, old in self.past if of == name]
        if kind == "back" and earlier:
            new = self.chance.choice(earlier)
        elif kind == "end":
            new = replace(run, end=self.chance.choice([None, self.chance.randrange(run.start + 1, CELLS + 1)]))
        elif kind == "start":
            start = self.chance.randrange(CELLS if run.end is None else run.end)
            new = RandomRun(start, run.end, ((start, run.terms[0][1]),))
        elif kind == "terms":
            field_ = self.chance.choice(["payer", "workspace_class", "quantity", "quantity"])
            other = replace(run.terms[0][1], **{field_: getattr(self.draw_terms(), field_)})
            new = RandomRun(run.start, run.end, ((run.start, other),))
        elif kind == "later" and (CELLS if run.end is None else run.end) - run.start > 1:
            since = self.chance.randrange(run.start + 1, CELLS if run.end is None else run.end)
            new = RandomRun(run.start, run.end, ((run.start, run.terms[0][1]), (since, self.draw_terms())))
        else:
            new = self.draw_run()
        terms = tuple(each for each in new.terms if each[0] < (CELLS if new.end is None else new.end))
        self.set_run(name, replace(new, terms=terms))
        return name

    def set_run(self, name: str, run: RandomRun) -> None:
        if name in self.runs:
            self.past.append((name, self.runs[name]))
        self.runs[name] = run

    def change_window(self) -> str:
        """Change a window's kind, its end, or its currency. Returns the account."""
        name = self.chance.choice(ACCOUNTS)
        number = self.chance.randrange(3)
        windows = self.windows[name]
        old = windows[number]
        change = self.chance.choice(["kind", "kind", "currency", "end"])
        if change == "kind":
            windows[number] = replace(old, kind="trial" if old.kind == "paid" else "paid")
        elif change == "currency":
            windows[number] = replace(old, currency=self.chance.choice(self.currencies[name]))
        else:
            bound = CELLS if number == 2 else windows[number + 1].start
            windows[number] = replace(old, end=self.chance.randrange(old.start + 1, bound + 1))
        return name

    def window(self, account: str, cell: int) -> RandomWindow | None:
        return next((w for w in self.windows[account] if w.start <= cell < (CELLS if w.end is None else w.end)), None)

    def billable(self) -> dict[tuple[str, int], tuple[str, str, CellTerms]]:
        """Return account, currency and terms of each cell of an instance that is to be billed."""
        found = {}
        for name, run in self.runs.items():
            for cell in range(run.start, CELLS if run.end is None else run.end):
                terms = run.at(cell)
                assert terms is not None
                window = self.window(terms.payer, cell)
                if window is not None and window.kind == "paid":
                    found[name, cell] = (terms.payer, window.currency, terms)
        return found


async def store_run(db: Database, world: RandomWorld, name: str) -> None:
    """Store what is known of an instance now, in place of what was."""
    run = world.runs[name]
    rows = [_row(world, name, run, since, terms) for since, terms in run.terms]
    if run.end is not None:
        end = world.edges[run.end]
        rows.append(replace(rows[-1], updated_at=end, stopping_time=end))
    result = await upsert_instances(db, rows, ImportOptions(correct=True))
    assert result.faults == []


def _row(world: RandomWorld, name: str, run: RandomRun, since: int, terms: CellTerms) -> InstanceRow:
    return instance(
        name,
        world.edges[run.start],
        attribution_id=terms.payer,
        workspace_class=terms.workspace_class,
        quantity=Decimal(terms.quantity.numerator) / terms.quantity.denominator,
        updated_at=world.edges[since],
    )


async def store_accounts(db: Database, world: RandomWorld) -> None:
    for name in ACCOUNTS:
        await add_account(db, name, currency=world.currencies[name][0])
        await store_windows(db, world, name)


async def store_windows(db: Database, world: RandomWorld, name: str) -> None:
    """Store the account's windows, in place of those that it had."""
    await execute(db, "DELETE FROM subscription WHERE attribution_id = :name", name=name)
    for window in world.windows[name]:
        await execute(
            db,
            "INSERT INTO subscription (attribution_id, kind, currency, during) VALUES "
            "(:name, :kind, :currency, tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))",
            name=name,
            kind=window.kind,
            currency=window.currency,
            start=world.edges[window.start],
            end=None if window.end is None else world.edges[window.end],
        )
