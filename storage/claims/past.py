"""The past of accounts: what the limits of an invoice compare it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import ClaimScope
from billing.assessment.holding import AccountPast, ExcusedUsage
from billing.invoice.key import InvoiceReason
from billing.periods import BillingPeriod
from storage.postgres.rows import reader
from storage.postgres.statements import statement


@dataclass(frozen=True)
class _PastRow:
    """An account's past as the database has it. `kept_back`: the periods in which it had an unknown class."""

    attribution_id: str
    previous_period: str | None
    previous_amount: int | None
    is_first: bool
    was_approved: bool
    kept_back: list[str]


async def read_pasts(
    connection: AsyncConnection,
    scope: ClaimScope,
    accounts: Sequence[str],
    replacing_invoice_id: int | None,
    usage: Mapping[str, Any] | None,
) -> dict[str, AccountPast]:
    """Return the pasts of these accounts by attribution id.

    The invoice to be claimed again is no part of it. `usage`: the parameters of the statement `usage`, in place of the
    usage in `page_usage`.
    """
    if not accounts:
        return {}
    parameters = {"accounts": list(accounts), "period": scope.period, "except": replacing_invoice_id}
    found = await connection.execute(statement("claims/past", "past"), parameters)
    read = reader(_PastRow, found.keys())
    rows = [read(row) for row in found]
    now = await _window_us(connection, scope, {row.attribution_id: _span(scope) for row in rows})
    spans = {row.attribution_id: _month(scope, row.previous_period) for row in rows if row.previous_period}
    before = await _window_us(connection, scope, spans)
    excused = await _excused(connection, scope, rows, usage)
    return {
        row.attribution_id: AccountPast(
            previous_amount=row.previous_amount,
            window_us=now.get(row.attribution_id, 0),
            previous_us=before.get(row.attribution_id, 0),
            is_first=row.is_first,
            excused=tuple(excused.get(row.attribution_id, ())),
        )
        for row in rows
    }


def _span(scope: ClaimScope) -> tuple[datetime, datetime]:
    """Return the time that the invoice bills, without usage carried over."""
    if scope.reason is not InvoiceReason.SUBSCRIPTION:
        return scope.period_start, max(scope.period_start, scope.cutoff)  # a dry run can precede its period
    # A cycle is about a month long, and rarely begins with the period.
    period = BillingPeriod.of_cutoff(scope.cutoff, scope.zone)
    return scope.cutoff - (period.end(scope.zone) - period.start(scope.zone)), scope.cutoff


def _month(scope: ClaimScope, period: str) -> tuple[datetime, datetime]:
    month = BillingPeriod.parse(period)
    return month.start(scope.zone), month.end(scope.zone)


async def _window_us(
    connection: AsyncConnection, scope: ClaimScope, spans: Mapping[str, tuple[datetime, datetime]]
) -> dict[str, int]:
    """Return the microseconds of each account's windows within its span. Accounts without any are left out."""
    if not spans:
        return {}
    accounts = list(spans)
    rows = await connection.execute(
        statement("claims/past", "window_us"),
        {
            "accounts": accounts,
            "starts": [start for start, _ in spans.values()],
            "ends": [end for _, end in spans.values()],
            "bill_after": scope.bill_after,
        },
    )
    return {accounts[row.number - 1]: row.us for row in rows}


async def _excused(
    connection: AsyncConnection, scope: ClaimScope, rows: Sequence[_PastRow], usage: Mapping[str, Any] | None
) -> dict[str, list[ExcusedUsage]]:
    """Return the carried usage, by account, that no limit counts."""
    accounts = [row.attribution_id for row in rows if row.was_approved or row.kept_back]
    if not accounts:
        return {}
    kept = [(row.attribution_id, *_month(scope, period)) for row in rows for period in row.kept_back]
    parameters = {
        "excused": accounts,
        "period_start": scope.period_start,
        "kept_accounts": [account for account, _, _ in kept],
        "kept_from": [start for _, start, _ in kept],
        "kept_to": [end for _, _, end in kept],
    }
    name = "excused"
    if usage is not None:
        name, parameters = "preview_excused", {**usage, **parameters, "accounts": accounts}
    found = await connection.execute(statement("claims/claims", name), parameters)
    read = reader(ExcusedUsage, found.keys())
    excused: dict[str, list[ExcusedUsage]] = {}
    for row in found:
        excused.setdefault(row.attribution_id, []).append(read(row))
    return excused
