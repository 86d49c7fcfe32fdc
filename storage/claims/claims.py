"""Claiming: the billable usage of a page of accounts becomes invoices, lines and claims, in one transaction.

PostgreSQL computes the usage with ranges and multiranges and keeps it in a temporary table; Python sees one row
per invoice line and prices it. Rows of single instances never leave the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import CursorResult, Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import (
    Assessment,
    BillableAccount,
    ClaimScope,
    PricedInvoice,
    UsageLine,
    Verdict,
    assess,
)
from billing.assessment.holding import NO_PAST
from billing.assessment.slices import usage_parameters
from billing.invoice.policy import AccountPolicy
from billing.pricing.graduation import Place
from billing.pricing.rating import RateCard
from billing.usage.interval import ClosedInterval
from storage.claims.past import read_pasts
from storage.claims.writing import priced_with, write_invoices, write_verdicts
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

__all__ = ["Assessment", "ClaimScope", "PageResult", "PricedInvoice", "Verdict", "claim_page", "preview_page"]

AccountUsageLine = tuple[str, UsageLine]
"""An account's attribution id and a line of its usage."""

_EXCLUSION_VIOLATION = "23P01"


@dataclass(frozen=True)
class Conflict(ClosedInterval):
    """Usage in `page_usage` that another invoice has claimed already."""

    key: str
    instance_id: str


@dataclass(frozen=True)
class PageResult:
    """The result of claiming one page. `keys`: the new invoices; `amounts`: their total by currency, in minor units.

    `cautions`: what limits that only warn say about the new invoices.
    """

    keys: tuple[str, ...]
    below_minimum: int
    blocked: int
    amounts: dict[str, int]
    cautions: tuple[str, ...]


async def claim_page(db: Database, scope: ClaimScope, rate_card: RateCard) -> PageResult:
    """Claim the usage of a page of accounts and create its invoices, in one transaction.

    Accounts with a live invoice of this period, reason and subject are left as they are, so that claiming a page
    twice is harmless. Concurrent calls over the same accounts wait for each other. If another account's invoice has
    claimed some of the usage (an attribution was changed by hand), the accounts are claimed one by one, each in its
    own transaction, and that usage is not billed again.

    Raises:
        DatabaseUnavailableError: transient: call again. Invoices that were created stay.
    """
    try:
        async with db.transaction() as connection:
            accounts, assessed = await _assess_page(connection, scope, rate_card)
            await _write(connection, scope, rate_card, accounts, assessed)
    except IntegrityError as error:
        if not is_conflict(error):
            raise
        return await _claim_one_by_one(db, scope, rate_card)
    return _result(assessed)


async def _claim_one_by_one(db: Database, scope: ClaimScope, card: RateCard) -> PageResult:
    """Claim each account of the page in its own transaction, and remember which instances have had several accounts."""
    async with db.transaction(read_only=True) as connection:
        accounts = await _billable_accounts(connection, scope)
    assessed: list[Assessment] = []
    for account in accounts:
        assessed += await _claim_again(db, replace(scope, attribution_id=account.attribution_id), card)
    return _result(assessed)


async def _claim_again(db: Database, scope: ClaimScope, card: RateCard) -> list[Assessment]:
    """Claim the usage of the scope's only account, without what other accounts' invoices have claimed of it."""
    async with db.transaction() as connection:
        accounts, assessed = await _assess_page(connection, scope, card)
        if accounts:
            await connection.execute(statement("claims/claims", "insert_payers"))
            await connection.execute(statement("claims/claims", "drop_page_usage"))
            accounts, assessed = await _assess_page(connection, scope, card)
        await _write(connection, scope, card, accounts, assessed)
    return assessed


def is_conflict(error: IntegrityError) -> bool:
    """Return whether the exclusion constraint refused a claim."""
    return getattr(error.orig, "sqlstate", None) == _EXCLUSION_VIOLATION


async def find_conflict(connection: AsyncConnection) -> Conflict | None:
    """Return the first usage in `page_usage` that is claimed already. None if there is none."""
    row = (await connection.execute(statement("claims/claims", "conflict"))).one_or_none()
    return None if row is None else record(Conflict, row)


async def _assess_page(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard
) -> tuple[list[BillableAccount], list[Assessment]]:
    """Lock the page's accounts, gather their usage in `page_usage`, and price it."""
    await require_known_revision(connection)
    await tune(connection)
    await connection.execute(statement("claims/claims", "lock_accounts"), _page(scope))
    accounts = await _billable_accounts(connection, scope)
    if not accounts:
        return [], []
    await _gather_usage(connection, scope, card, accounts)
    return accounts, await _assess(connection, scope, card, accounts, await usage_lines(connection, scope))


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
    """Return the scope's only account, whether or not it has an invoice of this scope."""
    identity = {"attribution_id": scope.attribution_id}
    return _billable((await connection.execute(statement("claims/claims", "account"), identity)).one())


async def usage_lines(connection: AsyncConnection, scope: ClaimScope) -> list[AccountUsageLine]:
    """Return the usage in `page_usage` as lines, ordered by account."""
    rows = await connection.execute(statement("claims/claims", "lines"), {"period_start": scope.period_start})
    return _by_account(rows)


def _by_account(rows: CursorResult[Any]) -> list[AccountUsageLine]:
    read = reader(UsageLine, rows.keys())
    return [(row.attribution_id, read(row)) for row in rows]


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


async def _write(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    accounts: Sequence[BillableAccount],
    assessed: Sequence[Assessment],
) -> None:
    if accounts:
        await write_verdicts(connection, scope, accounts, assessed)
        await write_invoices(connection, scope, card, [each for each in assessed if each.verdict == Verdict.INVOICE])


async def preview_page(db: Database, scope: ClaimScope, rate_card: RateCard) -> list[Assessment]:
    """Return what `claim_page` would decide now about each account. Changes nothing and waits for nothing.

    For a period that has not ended, the caller passes the present as the cutoff.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        accounts = await _billable_accounts(connection, scope)
        parameters = {**usage_parameters(scope, rate_card, accounts), "period_start": scope.period_start}
        rows = await connection.execute(statement("claims/claims", "preview_lines"), parameters)
        return await _assess(connection, scope, rate_card, accounts, _by_account(rows), preview=parameters)


def _page(scope: ClaimScope) -> dict[str, Any]:
    return {"after": scope.after, "through": scope.through, "attribution_id": scope.attribution_id}


async def _billable_accounts(connection: AsyncConnection, scope: ClaimScope) -> list[BillableAccount]:
    identity = {"period": scope.period, "reason": str(scope.reason), "subject": scope.subject}
    rows = await connection.execute(
        statement("claims/claims", "accounts"),
        {**_page(scope), **identity, "charge_on": str(scope.policy.charge_on)},
    )
    return [_billable(row) for row in rows]


def _billable(row: Row[Any]) -> BillableAccount:
    policy = record(AccountPolicy, row, limits_off=frozenset(row.limits_off))
    return record(BillableAccount, row, policy=policy, past=NO_PAST)


async def _assess(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    accounts: Sequence[BillableAccount],
    usage: Sequence[AccountUsageLine],
    replacing_invoice_id: int | None = None,
    preview: Mapping[str, Any] | None = None,
) -> list[Assessment]:
    with_usage = {attribution_id for attribution_id, _ in usage}
    known = {account.attribution_id: account for account in accounts if account.attribution_id in with_usage}
    for attribution_id, past in (
        await read_pasts(connection, scope, list(known), replacing_invoice_id, preview)
    ).items():
        known[attribution_id] = replace(known[attribution_id], past=past)
    by_month = [attribution_id for attribution_id, line in usage if line.month]
    used = await _months_used(connection, by_month, replacing_invoice_id)
    return [
        assess(scope, card, known[attribution_id], [line for _, line in lines], used.get(attribution_id, {}))
        for attribution_id, lines in groupby(usage, key=itemgetter(0))
    ]


async def _months_used(
    connection: AsyncConnection, accounts: Sequence[str], replacing_invoice_id: int | None
) -> dict[str, dict[str, list[Place]]]:
    """Return, by account and month, the places that live invoices hold, except for the replaced one."""
    used: dict[str, dict[str, list[Place]]] = {}
    if accounts:
        rows = await connection.execute(
            statement("claims/claims", "months_used"),
            {"accounts": sorted(set(accounts)), "except": replacing_invoice_id},
        )
        read = reader(Place, rows.keys())
        for row in rows:
            used.setdefault(row.attribution_id, {}).setdefault(row.month, []).append(read(row))
    return used


def _result(assessed: Sequence[Assessment]) -> PageResult:
    made = priced_with(assessed, Verdict.INVOICE)
    amounts: Counter[str] = Counter()
    for priced in made:
        amounts[priced.currency] += priced.amount
    return PageResult(
        keys=tuple(priced.key for priced in made),
        below_minimum=len(priced_with(assessed, Verdict.BELOW_MINIMUM)),
        blocked=len(priced_with(assessed, Verdict.BLOCKED)),
        amounts=dict(amounts),
        cautions=tuple(each.caution for each in assessed if each.caution),
    )
