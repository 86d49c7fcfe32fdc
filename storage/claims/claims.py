"""Claiming: the billable usage of a page of accounts becomes invoices, lines and claims, in one transaction.

PostgreSQL computes the usage with ranges and multiranges and keeps it in a temporary table; Python sees one row
per invoice line and prices it. Rows of single instances never leave the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import (
    Assessment,
    BillableAccount,
    ClaimScope,
    PricedInvoice,
    Verdict,
    VerdictKind,
    refused,
)
from billing.pricing.rating import RateCard
from storage.claims.assessing import assess_page, billable_accounts, lock_page, preview_accounts
from storage.claims.marking import lower_marks, raise_marks
from storage.claims.writing import priced_with, write_invoices, write_verdicts
from storage.postgres.database import Database
from storage.postgres.refusals import is_conflict, is_refused, refusal
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

__all__ = ["Assessment", "ClaimScope", "PageResult", "PricedInvoice", "Verdict", "claim_page", "preview_page"]


@dataclass(frozen=True)
class PageResult:
    """The result of claiming one page. `keys`: the new invoices; `amounts`: their total by currency, in minor units.

    `cautions`: what limits that only warn say about the new invoices; `kept_back`: the usage that these leave out, and
    why; `lacking`: what customers in Stripe lack, for blocked accounts.
    """

    keys: tuple[str, ...]
    below_minimum: int
    blocked: int
    amounts: dict[str, int]
    cautions: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


async def claim_page(db: Database, scope: ClaimScope, rate_card: RateCard) -> PageResult:
    """Claim the usage of a page of accounts and create its invoices, in one transaction.

    Accounts with a live invoice of this period, reason and subject are left as they are, so that claiming a page twice
    is harmless. An account has an invoice for each currency of its windows. Concurrent calls over the same accounts
    wait for each other. If the database refuses a row, the accounts are claimed one by one, each in its own
    transaction. Usage that another account's invoice has claimed (an attribution was changed by hand) is not billed
    again; any other refusal blocks the account of that row.

    Raises:
        DatabaseUnavailableError: transient: call again. Invoices that were created stay.
    """
    try:
        async with db.transaction() as connection:
            accounts = await lock_page(connection, scope)
            await lower_marks(connection, accounts)
            assessed = await assess_page(connection, scope, rate_card, accounts)
            await _write(connection, scope, rate_card, accounts, assessed)
            await raise_marks(connection, scope, rate_card, accounts, assessed)
    except DBAPIError as error:
        if not is_refused(error):
            raise
        return await _claim_one_by_one(db, scope, rate_card)
    return _result(assessed)


async def _claim_one_by_one(db: Database, scope: ClaimScope, card: RateCard) -> PageResult:
    """Claim each account of the page in its own transaction, so that one account's rows stop no other."""
    assessed: list[Assessment] = []
    for account in await _accounts(db, scope):
        own = replace(scope, attribution_id=account.attribution_id, currency=account.currency)
        assessed += await _claim_again(db, own, card)
    return _result(assessed)


async def _accounts(db: Database, scope: ClaimScope) -> list[BillableAccount]:
    async with db.transaction(read_only=True) as connection:
        return await billable_accounts(connection, scope)


async def _claim_again(db: Database, scope: ClaimScope, card: RateCard) -> list[Assessment]:
    """Claim the usage of the scope's only account and currency, without what other accounts' invoices have claimed of
    it.

    The account is blocked if the database refuses its rows for another reason.
    """
    async with db.transaction() as connection:
        accounts = await lock_page(connection, scope)
        await lower_marks(connection, accounts)
        try:
            async with connection.begin_nested():
                assessed = await _assess_unclaimed(connection, scope, card, accounts)
                await _write(connection, scope, card, accounts, assessed)
                await raise_marks(connection, scope, card, accounts, assessed)
        except DBAPIError as error:
            assessed = _refused(scope, card, accounts, error)
            await _write(connection, scope, card, accounts, assessed)
    return assessed


async def _assess_unclaimed(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]
) -> list[Assessment]:
    assessed = await assess_page(connection, scope, card, accounts)
    if not accounts:
        return assessed
    await connection.execute(statement("claims/conflicts", "insert_payers"))
    await connection.execute(statement("claims/claims", "drop_page_usage"))
    return await assess_page(connection, scope, card, accounts)


def _refused(
    scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount], error: DBAPIError
) -> list[Assessment]:
    """Block the account whose rows the database refuses; raise the error if a retry can help."""
    if is_conflict(error) or not is_refused(error):
        raise error
    reason = f"the database refuses its usage: {refusal(error)}"
    return [refused(scope, card, account, reason) for account in accounts]


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
    accounts = await _accounts(db, scope)
    try:
        return await _preview(db, scope, rate_card, accounts)
    except DBAPIError as error:
        if not is_refused(error):
            raise
    previews: list[Assessment] = []
    for account in accounts:
        try:
            previews += await _preview(db, scope, rate_card, [account])
        except DBAPIError as error:
            previews += _refused(scope, rate_card, [account], error)
    return previews


async def _preview(
    db: Database, scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]
) -> list[Assessment]:
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        return await preview_accounts(connection, scope, card, accounts)


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
        kept_back=tuple(each.kept_back for each in assessed if each.kept_back),
        cautions=tuple(each.caution for each in assessed if each.caution),
        lacking=tuple(each.reason for each in assessed if each.kind is VerdictKind.CUSTOMER),
    )
