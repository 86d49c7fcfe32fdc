"""The past of accounts: what the limits of an invoice compare it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import AccountCurrency, ClaimScope
from billing.assessment.holding import AccountPast, ExcusedUsage
from billing.periods import BillingPeriod
from storage.postgres.rows import reader
from storage.postgres.statements import statement


@dataclass(frozen=True)
class _PastRow:
    """An account's past in one currency. `kept_back`: the periods in which it had an unknown class."""

    attribution_id: str
    currency: str
    previous_period: str | None
    previous_amount: int | None
    is_first: bool
    was_approved: bool
    kept_back: list[str]

    @property
    def own(self) -> AccountCurrency:
        """Whose past, and in which currency."""
        return self.attribution_id, self.currency


async def read_pasts(
    connection: AsyncConnection,
    scope: ClaimScope,
    accounts: Sequence[AccountCurrency],
    replacing_invoice_id: int | None,
    usage: Mapping[str, Any] | None,
) -> dict[AccountCurrency, AccountPast]:
    """Return the pasts of these accounts, each in its currency.

    The invoice to be claimed again is no part of it. `usage`: the parameters of the statement `usage`, in place of the
    usage in `page_usage`.
    """
    if not accounts:
        return {}
    parameters = {**_columns(accounts), "period": scope.period, "except": replacing_invoice_id}
    found = await connection.execute(statement("claims/past", "past"), parameters)
    read = reader(_PastRow, found.keys())
    rows = [read(row) for row in found]
    now = await _window_us(connection, scope, {row.own: _span(scope) for row in rows})
    spans = {row.own: _month(scope, row.previous_period) for row in rows if row.previous_period}
    before = await _window_us(connection, scope, spans)
    excused = await _excused(connection, scope, rows, usage)
    return {
        row.own: AccountPast(
            previous_amount=row.previous_amount,
            window_us=now.get(row.own, 0),
            previous_us=before.get(row.own, 0),
            is_first=row.is_first,
            excused=tuple(excused.get(row.own, ())),
        )
        for row in rows
    }


def _span(scope: ClaimScope) -> tuple[datetime, datetime]:
    """Return the time that the invoice bills, without usage carried over."""
    return scope.period_start, max(scope.period_start, scope.cutoff)  # a dry run can precede its period


def _month(scope: ClaimScope, period: str) -> tuple[datetime, datetime]:
    month = BillingPeriod.parse(period)
    return month.start(scope.zone), month.end(scope.zone)


async def _window_us(
    connection: AsyncConnection, scope: ClaimScope, spans: Mapping[AccountCurrency, tuple[datetime, datetime]]
) -> dict[AccountCurrency, int]:
    """Return the microseconds of each account's windows within its span. Accounts without any are left out."""
    if not spans:
        return {}
    accounts = list(spans)
    rows = await connection.execute(
        statement("claims/past", "window_us"),
        {
            **_columns(accounts),
            "starts": [start for start, _ in spans.values()],
            "ends": [end for _, end in spans.values()],
            "bill_after": scope.bill_after,
            "charged_kinds": sorted(scope.charged_kinds),
        },
    )
    return {accounts[row.number - 1]: row.us for row in rows}


async def _excused(
    connection: AsyncConnection, scope: ClaimScope, rows: Sequence[_PastRow], usage: Mapping[str, Any] | None
) -> dict[AccountCurrency, list[ExcusedUsage]]:
    """Return the carried usage, by account and currency, that no limit counts."""
    accounts = [row.own for row in rows if row.was_approved or row.kept_back]
    if not accounts:
        return {}
    kept = [(row, *_month(scope, period)) for row in rows for period in row.kept_back]
    columns = _columns(accounts)
    parameters = {
        "excused": columns["accounts"],
        "excused_in": columns["currencies"],
        "period_start": scope.period_start,
        "kept_accounts": [row.attribution_id for row, _, _ in kept],
        "kept_currencies": [row.currency for row, _, _ in kept],
        "kept_from": [start for _, start, _ in kept],
        "kept_to": [end for _, _, end in kept],
    }
    name = "excused"
    if usage is not None:
        name, parameters = "preview_excused", {**usage, **parameters, **columns}
    found = await connection.execute(statement("claims/claims", name), parameters)
    read = reader(ExcusedUsage, found.keys())
    excused: dict[AccountCurrency, list[ExcusedUsage]] = {}
    for row in found:
        excused.setdefault((row.attribution_id, row.currency), []).append(read(row))
    return excused


def _columns(accounts: Sequence[AccountCurrency]) -> dict[str, list[str]]:
    return {
        "accounts": [attribution_id for attribution_id, _ in accounts],
        "currencies": [currency for _, currency in accounts],
    }
