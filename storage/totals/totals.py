"""Totals for people who look: of a period, by month, class, day and account. Each is exact and takes milliseconds.

The days are those of settled invoices (billed, paid, uncollectible). What is open or blocked has no days yet, but
amounts in `by_state`. A row with the workspace class "" is that of tiers: what included credits and graduated prices
take off the classes' amounts. Amounts are in minor units, days in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from billing.invoice.states import InvoiceState
from billing.periods import BillingPeriod
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")


@dataclass(frozen=True)
class ClassTotal:
    """Settled usage of one class in one currency; `quantity_us` is Σ (duration × quantity), in microseconds."""

    currency: str
    workspace_class: str
    duration_us: int
    quantity_us: Decimal
    credits: Decimal
    amount: int


@dataclass(frozen=True)
class MonthTotal(ClassTotal):
    """Settled usage of one class that the invoices of the period `period` bill."""

    period: str


@dataclass(frozen=True)
class DayTotal(ClassTotal):
    """Settled usage of one class on one day. Days before the period are usage that it carries over."""

    day: date


@dataclass(frozen=True)
class StateTotal:
    """The period's invoices in one state and currency.

    `edited`: what edits in Stripe that a person accepted change. `credited`: by issued credit notes on them.
    """

    state: InvoiceState
    currency: str
    invoices: int
    amount: int
    edited: int
    credited: int


@dataclass(frozen=True)
class AccountTotal:
    """An account's live invoices of the period in one currency. `before`: net amount of the compared period, if any.

    `edited`: what edits in Stripe that a person accepted change.
    """

    attribution_id: str
    name: str | None
    currency: str
    invoices: int
    billed: int
    open: int
    edited: int
    credited: int
    before: int | None

    @property
    def net(self) -> int:
        """What is billed or open, with edits, after credits."""
        return self.billed + self.open + self.edited - self.credited


async def by_month(db: Database, since: str | None = None) -> list[MonthTotal]:
    """Return settled usage by the invoices' period, currency and class, of the periods from `since` (`YYYY-MM`) on."""
    return await _read(db, "by_month", MonthTotal, {"period": None, "since": since})


async def by_class(db: Database, period: str) -> list[ClassTotal]:
    """Return the period's settled usage by currency and class, the largest amount of a currency first.

    What accepted edits in Stripe change of it is a last row of the currency, `(edited in Stripe)`.
    """
    return await _read(db, "by_class", ClassTotal, {"period": period, "since": None})


async def by_day(db: Database, period: str) -> list[DayTotal]:
    """Return the period's settled usage by currency, day and class."""
    return await _read(db, "by_day", DayTotal, {"period": period, "since": None})


async def by_state(db: Database, period: str) -> list[StateTotal]:
    """Return the period's invoices by currency and state, with amounts: the same as `perdure period status`."""
    return await _read(db, "by_state", StateTotal, {"period": period})


async def largest_accounts(
    db: Database, period: str, currency: str, most: int, *, before: str | None = None
) -> list[AccountTotal]:
    """Return up to `most` accounts of the period in one currency, the largest net amount first.

    `before`: the period to compare with, in place of the month before.
    """
    compared = before or str(BillingPeriod.parse(period).previous())
    given = {"period": period, "most": most, "currency": currency, "before": compared}
    return await _read(db, "largest", AccountTotal, given)


async def account_days(db: Database, attribution_id: str, since: date, until: date) -> list[DayTotal]:
    """Return an account's settled usage within `[since, until)` by currency, day and class."""
    return await _read(db, "account_days", DayTotal, {"attribution_id": attribution_id, "since": since, "until": until})


async def invoice_days(db: Database, key: str) -> list[DayTotal]:
    """Return an invoice's usage by day and class. Empty until it is settled, and once it is dead."""
    return await _read(db, "invoice_days", DayTotal, {"key": key})


async def _read(db: Database, name: str, kind: type[_T], given: Mapping[str, Any]) -> list[_T]:
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("totals/totals", name), dict(given))
        return [record(kind, row) for row in rows]
