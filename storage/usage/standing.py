"""What decides about an account's usage that is on no invoice, and what bills it next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.cycles import LONGEST_MONTH
from billing.usage.interval import Interval
from storage.postgres.statements import statement


@dataclass(frozen=True)
class SubscriptionWindow(Interval):
    """A window of an account, without an end while its subscription runs."""

    stripe_subscription_id: str | None
    kind: str
    currency: str


@dataclass(frozen=True)
class CurrencyRuns:
    """What bills an account's usage in one currency.

    `invoiced`: the latest period of which the account has an invoice that takes no more. `by_subscription`: its Stripe
    subscription's invoices bill its usage, and no period's run does.
    """

    currency: str
    invoiced: str | None = None
    by_subscription: bool = False


@dataclass(frozen=True)
class AccountStanding:
    """What decides about an account's usage: its windows, when charging starts, and why past runs left it unbilled.

    `outcomes`: (period, `below_minimum` or `blocked`, reason, currency). `billed_through`: the latest period that was
    billed in whole. `runs`: one for each currency of its windows.
    """

    windows: tuple[SubscriptionWindow, ...] = ()
    bill_after: datetime | None = None
    outcomes: tuple[tuple[str, str, str, str], ...] = ()
    billed_through: str | None = None
    runs: tuple[CurrencyRuns, ...] = ()

    def currency_at(self, at: datetime) -> str | None:
        """Return the currency of the window at an instant. None outside of every window."""
        return next(
            (each.currency for each in self.windows if each.start <= at and (each.end is None or at < each.end)), None
        )

    def runs_in(self, currency: str | None) -> CurrencyRuns:
        """Return what bills usage in this currency."""
        return next((each for each in self.runs if each.currency == currency), CurrencyRuns(currency or ""))


NO_STANDING = AccountStanding()


async def load_standing(
    connection: AsyncConnection, attribution_id: str | None, bill_after: datetime | None, charge_on: str
) -> AccountStanding:
    """Return what decides about an account's usage; without windows for an unknown account.

    `bill_after` and `charge_on` are the deployment's.
    """
    whose = {"attribution_id": attribution_id}
    windows = await connection.execute(statement("usage/explain", "windows"), whose)
    floor = await connection.execute(statement("usage/explain", "bill_after"), {**whose, "bill_after": bill_after})
    outcomes = await connection.execute(statement("usage/explain", "outcomes"), whose)
    through = await connection.execute(statement("usage/explain", "billed_through"))
    runs = await connection.execute(
        statement("usage/explain", "runs"), {**whose, "charge_on": charge_on, "longest_month": LONGEST_MONTH}
    )
    return AccountStanding(
        windows=tuple(SubscriptionWindow(**row) for row in windows.mappings()),
        bill_after=floor.scalar_one_or_none(),
        outcomes=tuple((row.billing_period, row.outcome, row.reason, row.currency) for row in outcomes),
        billed_through=through.scalar_one(),
        runs=tuple(CurrencyRuns(**row) for row in runs.mappings()),
    )
