"""Accounts, windows and instances to bill, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from activities.rate_cards import RateCards
from billing.accounts.parts import Stretch, cut
from billing.accounts.windows import WindowKind
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import Policy, UnknownClass
from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import RateCard
from billing.usage.interval import Interval
from billing.usage.rows import AccountRow, InstanceRow
from storage.accounts.accounts import NewAccount, upsert_accounts
from storage.accounts.subscriptions import put_subscription
from storage.claims.claims import ClaimScope
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances

US = timedelta(microseconds=1)
HOUR_US = 3_600_000_000
AS_DEFAULT = Policy(unknown_class=UnknownClass.DEFAULT)
DAY = 1440  # credits of a day at one credit a minute; its amount in cents too


def may(day: float = 1, *, us: int = 0) -> datetime:
    """Return an instant of May 2022: day 1 is its start, day 32 its end, day 0.5 noon of 30 April."""
    return datetime(2022, 5, 1, tzinfo=UTC) + timedelta(days=day - 1) + us * US


def card(**version: Any) -> RateCard:
    """Return a rate card with one version from 2022 on: one credit a minute, one cent a credit."""
    first = {
        "effective_from": datetime(2022, 1, 1, tzinfo=UTC),
        "credits_per_minute": {"default": "1", "xl": "2"},
        "price_per_credit": {"usd": "0.01", "jpy": "1", "kwd": "0.01"},
        "minimum_charge": {"usd": "0.50"},
    }
    return parse_rate_card({"version": [{**first, **version}]})


class FixedCard(RateCards):
    """Gives one rate card, from no file, and publishes nothing."""

    def __init__(self, fixed: RateCard) -> None:
        self._fixed = fixed

    async def current(self) -> RateCard:
        """Return the card."""
        return self._fixed


def scope(**changes: Any) -> ClaimScope:
    """The period's run of May 2022 over all accounts."""
    values: dict[str, Any] = {
        "period": "2022-05",
        "reason": InvoiceReason.PERIOD,
        "subject": "",
        "cutoff": may(32),
        "period_start": may(1),
        "bill_after": None,
        "policy": AS_DEFAULT,
    }
    return ClaimScope(**{**values, **changes})


def june(**changes: Any) -> ClaimScope:
    """The run of June 2022."""
    return scope(**{"period": "2022-06", "cutoff": may(62), "period_start": may(32), **changes})


def cancellation(subject: str, cutoff: datetime, **changes: Any) -> ClaimScope:
    """The final claim of a canceled subscription."""
    return scope(reason=InvoiceReason.CANCELLATION, subject=subject, cutoff=cutoff, **changes)


async def add_account(
    db: Database,
    attribution_id: str = "team:a",
    *windows: tuple[datetime, datetime | None],
    currency: str = "usd",
    bill_after: datetime | None = None,
    customer: str | None = None,
) -> None:
    """Add an account; by default it has one window, which starts in April and has no end."""
    rows = [
        AccountRow(
            line=line,
            attribution_id=attribution_id,
            stripe_customer_id=customer,
            currency=currency,
            bill_after=bill_after,
            started=started,
            ended=ended,
        )
        for line, (started, ended) in enumerate(windows or [(may(-29), None)], 1)
    ]
    assert await upsert_accounts(db, rows) == []


async def put_window(
    db: Database,
    attribution_id: str,
    stripe_subscription_id: str,
    started: datetime,
    ended: datetime | None,
    *stretches: tuple[datetime, datetime | None, WindowKind],
    new: NewAccount | None = None,
    currency: str = "usd",
) -> None:
    """Store a subscription's window, with these stretches of other kinds in it; an empty one is deleted."""
    window = [] if started == ended else cut(Interval(started, ended), [Stretch(*each) for each in stretches])
    await put_subscription(db, attribution_id, stripe_subscription_id, window, currency, new)


def instance(instance_id: str, started: datetime | None, ended: datetime | None = None, **changes: Any) -> InstanceRow:
    """A workspace instance of team:a that was created when it started."""
    values: dict[str, Any] = {
        "line": 1,
        "attribution_id": "team:a",
        "workspace_id": f"ws-{instance_id}",
        "project_id": "p",
        "workspace_class": "default",
        "creation_time": started,
        "started_time": started,
        "stopping_time": ended,
    }
    return InstanceRow(id=instance_id, **{**values, **changes})


async def add_instances(db: Database, *rows: InstanceRow) -> None:
    """Import the instances; none must be refused."""
    assert (await upsert_instances(db, rows)).faults == []


async def fetch(db: Database, query: str, **parameters: Any) -> list[Any]:
    """Return all rows of a query."""
    async with db.transaction() as connection:
        return list((await connection.execute(text(query), parameters)).all())


async def execute(db: Database, command: str, **parameters: Any) -> None:
    """Run one statement and commit it."""
    async with db.transaction() as connection:
        await connection.execute(text(command), parameters)


async def claimed(db: Database) -> list[tuple[str, datetime, datetime]]:
    """Return all live claims: instance, start, end."""
    rows = await fetch(db, "SELECT instance_id, lower(during), upper(during) FROM claim ORDER BY instance_id, during")
    return [tuple(row) for row in rows]


def graduated(included: str = "2000", **version: Any) -> RateCard:
    first = {
        "effective_from": may(-120),
        "credits_per_minute": {"default": "1", "xl": "2"},
        "tiers": {"usd": [{"up_to": "1000", "price": "0.01"}, {"price": "0.005"}]},
        "included_credits": included,
    }
    return parse_rate_card({"version": [{**first, **version}]})
