"""Assessing a page of accounts: PostgreSQL gathers their billable usage, Python prices one row per invoice line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import CursorResult, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.customer import KnownCustomer
from billing.accounts.cycles import LONGEST_MONTH
from billing.assessment.assessment import AccountCurrency, Assessment, BillableAccount, ClaimScope, Verdict, assess
from billing.assessment.holding import NO_PAST
from billing.assessment.lines import UsageLine
from billing.assessment.slices import usage_parameters
from billing.invoice.policy import AccountPolicy
from billing.pricing.graduation import Place
from billing.pricing.rating import RateCard
from storage.adjustments.adjustments import waiting_adjustments
from storage.claims.cycles import with_cycles
from storage.claims.past import read_pasts
from storage.postgres.revision import require_known_revision
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

AccountUsageLine = tuple[AccountCurrency, UsageLine]
"""Whose usage in which currency, and a line of it."""


async def lock_page(connection: AsyncConnection, scope: ClaimScope) -> list[BillableAccount]:
    """Lock the page's accounts and return those without a live invoice of this scope, once for each currency."""
    await require_known_revision(connection)
    await tune(connection)
    await connection.execute(statement("claims/claims", "lock_accounts"), _page(scope))
    return await billable_accounts(connection, scope)


async def billable_accounts(connection: AsyncConnection, scope: ClaimScope) -> list[BillableAccount]:
    """Return the page's accounts without a live invoice of this scope, as `lock_page` does, without locking them.

    The first currency of an account's windows comes first.
    """
    identity = {
        "period": scope.period,
        "reason": str(scope.reason),
        "subject": scope.subject,
        "currency": scope.currency,
    }
    rows = await connection.execute(
        statement("claims/claims", "accounts"),
        {**_page(scope), **identity, "charge_on": str(scope.policy.charge_on), "longest_month": LONGEST_MONTH},
    )
    return await with_cycles(connection, scope, [_billable(row) for row in rows])


async def assess_page(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]
) -> list[Assessment]:
    """Gather the accounts' usage in `page_usage`, and price it."""
    if not accounts:
        return []
    await _gather_usage(connection, scope, card, accounts)
    return await _assess(connection, scope, card, accounts, await usage_lines(connection, scope))


async def preview_accounts(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]
) -> list[Assessment]:
    """Price the accounts' usage as `assess_page` does, in a read-only transaction."""
    parameters = {**usage_parameters(scope, card, accounts), "period_start": scope.period_start}
    rows = await connection.execute(statement("claims/claims", "preview_lines"), parameters)
    return await _assess(connection, scope, card, accounts, _by_account(rows), preview=parameters)


async def create_page_usage(connection: AsyncConnection) -> None:
    """Create `page_usage`, the transaction's own table of the usage to claim."""
    await connection.execute(statement("claims/claims", "create_page_usage"))


async def _gather_usage(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]
) -> None:
    await create_page_usage(connection)
    await connection.execute(statement("claims/claims", "fill_page_usage"), usage_parameters(scope, card, accounts))


async def assess_account(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, replacing_invoice_id: int
) -> Assessment | None:
    """Assess what the scope's only account owes on this invoice, whose claims were dropped. None if it owes nothing.

    The usage is left in `page_usage`, for `insert_claims`.
    """
    account = await read_account(connection, scope)
    await _gather_usage(connection, scope, card, [account])
    usage = await usage_lines(connection, scope)
    return await assess_usage(connection, scope, card, account, usage, replacing_invoice_id)


async def read_account(connection: AsyncConnection, scope: ClaimScope) -> BillableAccount:
    """Return the scope's only account in its only currency, whether or not it has an invoice of this scope."""
    identity = {"attribution_id": scope.attribution_id, "currency": scope.currency, "subject": scope.subject}
    row = (await connection.execute(statement("claims/claims", "account"), identity)).one()
    (account,) = await with_cycles(connection, scope, [_billable(row)])
    return account


async def usage_lines(connection: AsyncConnection, scope: ClaimScope) -> list[AccountUsageLine]:
    """Return the usage in `page_usage` as lines, ordered by account and currency."""
    rows = await connection.execute(statement("claims/claims", "lines"), {"period_start": scope.period_start})
    return _by_account(rows)


def _by_account(rows: CursorResult[Any]) -> list[AccountUsageLine]:
    read = reader(UsageLine, rows.keys())
    return [((row.attribution_id, row.currency), read(row)) for row in rows]


async def assess_usage(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    account: BillableAccount,
    usage: Sequence[AccountUsageLine],
    replacing_invoice_id: int | None,
) -> Assessment | None:
    """Assess this usage of the account, given all its other invoices but the replaced one. None without usage."""
    return next(iter(await _assess(connection, scope, card, [account], usage, replacing_invoice_id)), None)


def _page(scope: ClaimScope) -> dict[str, Any]:
    return {"after": scope.after, "through": scope.through, "attribution_id": scope.attribution_id}


def _billable(row: Row[Any]) -> BillableAccount:
    policy = record(AccountPolicy, row, limits_off=frozenset(row.limits_off))
    known = record(KnownCustomer, row)
    return record(BillableAccount, row, policy=policy, past=NO_PAST, cycles=(), customer=known, adjustments=())


async def _assess(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    accounts: Sequence[BillableAccount],
    usage: Sequence[AccountUsageLine],
    replacing_invoice_id: int | None = None,
    preview: Mapping[str, Any] | None = None,
) -> list[Assessment]:
    lines = {own: [line for _, line in group] for own, group in groupby(usage, key=itemgetter(0))}
    waiting = await waiting_adjustments(connection, [account.own for account in accounts])
    owing = {**dict.fromkeys(lines), **dict.fromkeys(waiting)}
    pasts = await read_pasts(connection, scope, list(owing), replacing_invoice_id, preview)
    by_month = {attribution_id for (attribution_id, _), line in usage if line.month}
    used = await _months_used(connection, by_month, replacing_invoice_id)
    assessed = []
    for account in accounts:
        if account.own in owing:
            places = used.setdefault(account.attribution_id, {})
            known = replace(account, past=pasts[account.own], adjustments=waiting.get(account.own, ()))
            assessed.append(assess(scope, card, known, lines.get(account.own, ()), places))
            # An account's invoices in several currencies share its places.
            _occupy(places, assessed[-1])
    return assessed


def _occupy(places: dict[str, list[Place]], assessed: Assessment) -> None:
    if assessed.verdict == Verdict.INVOICE:
        for month, taken in assessed.priced.months.items():
            places.setdefault(month, []).extend(taken)


async def places_of_others(
    connection: AsyncConnection, attribution_id: str, invoice_id: int
) -> Mapping[str, Sequence[Place]]:
    """Return, by month, the places that the account's other live invoices hold."""
    return (await _months_used(connection, [attribution_id], invoice_id)).get(attribution_id, {})


async def _months_used(
    connection: AsyncConnection, accounts: Collection[str], replacing_invoice_id: int | None
) -> dict[str, dict[str, list[Place]]]:
    """Return, by account and month, the places that live invoices hold, except for the replaced one."""
    used: dict[str, dict[str, list[Place]]] = {}
    if accounts:
        rows = await connection.execute(
            statement("claims/claims", "months_used"),
            {"accounts": sorted(accounts), "except": replacing_invoice_id},
        )
        read = reader(Place, rows.keys())
        for row in rows:
            used.setdefault(row.attribution_id, {}).setdefault(row.month, []).append(read(row))
    return used
