"""Billing periods: pages of accounts, progress, excluded usage, the summary."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.assessment.assessment import Verdict
from billing.attribution import PATTERN
from billing.invoice.policy import UnknownClass
from billing.invoice.states import OPEN
from billing.money import EXACT, to_minor
from billing.pricing.rating import DEFAULT_CLASS, RateCard, RateVersion
from billing.usage.silence import NEVER_SILENT, Silence
from storage.postgres.database import Database
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from storage.totals.days import sum_up

_MOST_BLOCKED = 100
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class BlockedSubject:
    """An invoice that waits for an operator, or an account that waits because no invoice could be made for it."""

    subject: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class Progress:
    """The progress of a period's invoices and accounts.

    `counts` by state; `totals` by state, then currency, in minor units. `open`: invoices whose usage is not billed
    yet; `blocked_count` of them are blocked, `awaiting_approval` are drafts that a person must approve. `blocked`: up
    to 100 subjects that wait for an operator, invoices first, then accounts. `below_minimum`, `blocked_accounts`:
    accounts without an invoice.
    """

    counts: dict[str, int]
    totals: dict[str, dict[str, int]]
    open: int
    oldest_open_since: datetime | None
    blocked: tuple[BlockedSubject, ...]
    blocked_count: int
    below_minimum: int
    blocked_accounts: int
    awaiting_approval: int = 0


@dataclass(frozen=True)
class ExcludedUsage:
    """Usage of one instance, in microseconds, that is not billed, and why: one row per reason.

    `credits` and `price` (of a credit in the account's `currency`) are those of the rate card that was given, without
    included credits and tiers; None where they are not known: the class has no rate, the account is not known or the
    runtime is not.

    Reasons of an invalid instance, the first that applies: `no_started_time`, `no_creation_time`,
    `ends_before_start`, `starts_before_creation`, `no_attribution_id`, `malformed_attribution_id`, `no_such_account`.
    Reasons of a valid instance: `stale`, `uncovered`, `trial`, `collection_paused`, `before_bill_after`,
    `before_first_rate`.
    """

    instance_id: str
    attribution_id: str | None
    reason: str
    duration_us: int
    credits: Decimal | None
    currency: str | None
    price: Decimal | None

    @property
    def exact_worth(self) -> Decimal | None:
        """What it would cost, in major units, not rounded: sums are rounded once. None if that is not known."""
        if self.credits is None or self.currency is None or self.price is None:
            return None
        return EXACT.multiply(self.credits, self.price)

    @property
    def worth(self) -> int | None:
        """What it would cost alone, in minor units. None if that is not known."""
        exact = self.exact_worth
        return None if exact is None or self.currency is None else to_minor(exact, self.currency)


@dataclass(frozen=True)
class PeriodSummary:
    """The stored summary of a settled period."""

    summary: dict[str, Any]
    settled_at: datetime


async def page_bounds(db: Database, after: str, page_size: int, max_pages: int) -> list[tuple[str, str]]:
    """Return the next pages of accounts, as `after` < attribution id ≤ `through`. Empty if no accounts are left."""
    async with db.transaction() as connection:
        found = await connection.execute(
            statement("periods/periods", "page_bounds"),
            {"after": after, "page_size": page_size, "most": page_size * max_pages},
        )
        return list(pairwise([after, *found.scalars()]))


async def period_progress(db: Database, period: str, attribution_id: str | None = None) -> Progress:
    """Return the progress of a period, or of one account in it."""
    whose = {"period": period, "attribution_id": attribution_id}
    async with db.transaction() as connection:
        states = await connection.execute(statement("periods/periods", "invoices_by_state"), whose)
        outcomes = await connection.execute(statement("periods/periods", "outcomes"), whose)
        blocked = await connection.execute(statement("periods/periods", "blocked"), {**whose, "limit": _MOST_BLOCKED})
        return _progress(
            states.all(),
            {row.outcome: row.accounts for row in outcomes},
            tuple(record(BlockedSubject, row) for row in blocked),
        )


def _progress(rows: Sequence[Any], outcomes: dict[str, int], blocked: tuple[BlockedSubject, ...]) -> Progress:
    counts: dict[str, int] = {}
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + row.invoices
        totals.setdefault(row.state, {})[row.currency] = int(row.amount)
    return Progress(
        counts=counts,
        totals=totals,
        open=sum(counts.get(state, 0) for state in OPEN),
        oldest_open_since=min((row.oldest_open_since for row in rows if row.oldest_open_since), default=None),
        blocked=blocked,
        blocked_count=counts.get("blocked", 0),
        awaiting_approval=sum(row.awaiting_approval for row in rows),
        below_minimum=outcomes.get(Verdict.BELOW_MINIMUM, 0),
        blocked_accounts=outcomes.get(Verdict.BLOCKED, 0),
    )


async def excluded_instances(
    db: Database,
    *,
    start: datetime,
    end: datetime,
    bill_after: datetime | None,
    rate_card: RateCard,
    silence: Silence = NEVER_SILENT,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
    unknown_class: UnknownClass = UnknownClass.HOLD,
) -> AsyncGenerator[ExcludedUsage, None]:
    """Yield the usage within `[start, end)` that is not billed, and why, ordered by instance id and reason.

    Its worth is that at the version of the rate card that is in force now, whatever was in force then.

    For a period that has not ended, the caller passes the present as its end. An invalid instance is listed if any
    of its times, or the known part of its runtime, is in the period, and always if it has no times at all."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.stream(
            statement("periods/periods", "excluded"),
            {
                "start": start,
                "end": end,
                "bill_after": bill_after,
                "first_rate": rate_card.versions[0].effective_from,
                **_rates(rate_card.in_force(datetime.now(UTC)), unknown_class),
                "attribution_id_pattern": PATTERN,
                "charged_kinds": sorted(charged_kinds),
                **asdict(silence),
            },
        )
        read = reader(ExcludedUsage, rows.keys())
        async for partition in rows.partitions(_ROWS_AT_ONCE):
            for row in partition:
                yield read(row)


def _rates(version: RateVersion | None, unknown_class: UnknownClass) -> dict[str, str | None]:
    """Return the rates and prices as parameters: nothing is known of usage if no version is in force."""
    rates = {} if version is None else {name: str(rate) for name, rate in version.credits_per_minute.items()}
    prices = {} if version is None else {name: str(price) for name, price in version.price_per_credit.items()}
    return {
        "rates": json.dumps(rates),
        "prices": json.dumps(prices),
        "default_rate": rates.get(DEFAULT_CLASS),
        "other_rate": rates.get(DEFAULT_CLASS) if unknown_class is UnknownClass.DEFAULT else None,
    }


async def write_summary(db: Database, period: str, summary: dict[str, Any]) -> None:
    """Store a settled period's summary (JSON-ready), replacing that of an earlier run, and sum up its days.

    It also forgets what was reopened of payers that are no accounts, which imports add to.
    """
    async with db.transaction() as connection:
        await connection.execute(
            statement("periods/periods", "write_summary"), {"period": period, "summary": json.dumps(summary)}
        )
        await connection.execute(statement("periods/periods", "forget_reopened"))
    await sum_up(db)


async def read_summary(db: Database, period: str) -> PeriodSummary | None:
    """Return the summary of the period's latest settled run. None if there is none."""
    async with db.transaction() as connection:
        row = (await connection.execute(statement("periods/periods", "read_summary"), {"period": period})).one_or_none()
    return None if row is None else PeriodSummary(json.loads(row.summary), row.settled_at)
