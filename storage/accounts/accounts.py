"""Accounts and their subscription windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.plan import (
    AccountPlan,
    AccountRecord,
    Known,
    WindowRecord,
    plan_accounts,
    windows_of_other_currency,
)
from billing.accounts.windows import WindowKind
from billing.errors import PermanentError
from billing.usage.rows import AccountRow, RowFault
from storage.accounts.details import write_details
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.usage.misbilled import MisbilledUsage, misbilled_accounts

__all__ = [
    "AccountConflictError",
    "AccountRecord",
    "NewAccount",
    "WindowRecord",
    "account_for_customer",
    "account_of_subscription",
    "add_account",
    "apply_rows",
    "currency_of",
    "get_account",
    "list_accounts",
    "lock_or_add",
    "upsert_accounts",
]


class AccountConflictError(PermanentError):
    """The data to store contradicts the account, its windows or another account."""


@dataclass(frozen=True)
class NewAccount:
    """The initial values of an account that is not stored yet."""

    stripe_customer_id: str
    currency: str
    bill_after: datetime


async def get_account(db: Database, attribution_id: str) -> AccountRecord | None:
    """Return the account with its windows. None if it is unknown."""
    return await _one(db, "get", {"attribution_id": attribution_id})


async def account_for_customer(db: Database, stripe_customer_id: str) -> AccountRecord | None:
    """Return the account that this Stripe customer pays for. None if there is none."""
    return await _one(db, "of_customer", {"stripe_customer_id": stripe_customer_id})


async def account_of_subscription(db: Database, stripe_subscription_id: str) -> AccountRecord | None:
    """Return the account whose window comes from this Stripe subscription. None if there is none."""
    return await _one(db, "of_subscription", {"stripe_subscription_id": stripe_subscription_id})


async def currency_of(db: Database, attribution_id: str, stripe_subscription_id: str = "") -> str | None:
    """Return the currency of a subscription's windows, else the account's. None if the account is unknown."""
    whose = {"attribution_id": attribution_id, "stripe_subscription_id": stripe_subscription_id}
    async with db.transaction(read_only=True) as connection:
        found: str | None = (await connection.execute(statement("accounts/accounts", "currency"), whose)).scalar()
        return found


async def list_accounts(
    db: Database, after: str = "", limit: int = 1000, *, text: str | None = None
) -> list[AccountRecord]:
    """Return up to `limit` accounts with their windows, ordered by attribution id, after `after`.

    `text`: only those of which it is a part of the id or the name, without regard to case, or the customer or a
    subscription.
    """
    async with db.transaction() as connection:
        return await _read(connection, "list", {"after": after, "limit": limit, "text": text})


async def upsert_accounts(db: Database, rows: Sequence[AccountRow], *, reopen: bool = False) -> list[RowFault]:
    """Store a batch of accounts and windows, as `apply_rows` does. Returns the refused rows; all others are stored.

    Raises:
        AccountConflictError: another process changed the same accounts; nothing was stored.
    """
    return (await apply_rows(db, rows, reopen=reopen)).faults


@dataclass(frozen=True)
class StoredAccounts:
    """The result of storing a batch of account rows.

    `repeated`: rows of a window that another row counts for. `outside`: usage that is billed outside the windows that
    the accounts now have.
    """

    faults: list[RowFault]
    repeated: int
    outside: list[MisbilledUsage]


async def apply_rows(
    db: Database, rows: Sequence[AccountRow], *, reopen: bool = False, dry_run: bool = False
) -> StoredAccounts:
    """Store a batch, which has all of a file's rows of its accounts, in one transaction, which `dry_run` rolls back.

    Account and start identify a window: a row with a known start moves the window's end, and says its currency and its
    kind. A field that a row leaves empty (customer, `bill_after`) keeps its stored value, and so does the end if the
    row lacks that column. A row is refused if it contradicts another row of its account, if its window overlaps
    another one, if its customer belongs to another account, if it changes the currency while invoices are open or of a
    window that was billed, if it changes the customer while an open invoice is in Stripe, or may be, if it changes the
    window of a Stripe subscription, or, without `reopen`, if it removes an end.

    Raises:
        AccountConflictError: another process changed the same accounts; nothing was stored.
    """
    try:
        async with db.connection() as connection, connection.begin() as transaction:
            plan = plan_accounts(rows, await _known(connection, rows), reopen=reopen)
            await _write(connection, plan)
            # Earlier claims have released their locks on these accounts, and later claims use the new windows.
            usage = await misbilled_accounts(connection, sorted({row.attribution_id for row in rows}))
            if dry_run:
                await transaction.rollback()
            outside = [each for each in usage if each.reason == "outside_windows"]
            return StoredAccounts(plan.faults, plan.repeated, outside)
    except IntegrityError as error:
        raise AccountConflictError("another process changed the same accounts: import them again") from error


async def add_account(db: Database, attribution_id: str, new: NewAccount) -> None:
    """Store an account unless it exists already.

    Raises:
        AccountConflictError: the customer belongs to another account.
    """
    async with db.transaction() as connection:
        await _add(connection, attribution_id, new)


async def _add(connection: AsyncConnection, attribution_id: str, new: NewAccount) -> None:
    account = {
        "attribution_id": attribution_id,
        "stripe_customer_id": new.stripe_customer_id,
        "currency": new.currency,
        "bill_after": new.bill_after,
    }
    added = await connection.execute(statement("accounts/accounts", "add"), account)
    # Two subscriptions of a new account can add it concurrently: only another account's customer is a conflict.
    if added.rowcount == 0 and not await _read(connection, "lock", {"accounts": [attribution_id]}):
        raise AccountConflictError(f"{new.stripe_customer_id} belongs to another account")


async def lock_or_add(connection: AsyncConnection, attribution_id: str, new: NewAccount | None) -> None:
    """Lock the account, within the caller's transaction; with `new`, add it first unless it exists.

    Raises:
        AccountConflictError: the account is unknown, or the customer belongs to another account.
    """
    if new is not None:
        await _add(connection, attribution_id, new)
    if not await _read(connection, "lock", {"accounts": [attribution_id]}):
        raise AccountConflictError(f"no account {attribution_id}")


async def _one(db: Database, name: str, parameters: dict[str, Any]) -> AccountRecord | None:
    async with db.transaction() as connection:
        found = await _read(connection, name, parameters)
    return found[0] if found else None


async def _read(connection: AsyncConnection, name: str, parameters: dict[str, Any]) -> list[AccountRecord]:
    rows = (await connection.execute(statement("accounts/accounts", name), parameters)).mappings().all()
    accounts = [row["attribution_id"] for row in rows]
    found = await connection.execute(statement("accounts/accounts", "windows"), {"accounts": accounts})
    windows = {
        attribution_id: tuple(group)
        for attribution_id, group in groupby(
            (record(WindowRecord, row) for row in found), key=lambda window: window.attribution_id
        )
    }
    return [AccountRecord(**row, windows=windows.get(row["attribution_id"], ())) for row in rows]


async def _known(connection: AsyncConnection, rows: Sequence[AccountRow]) -> Known:
    accounts = sorted({row.attribution_id for row in rows})
    customers = sorted({row.stripe_customer_id for row in rows if row.stripe_customer_id})
    locked = await _read(connection, "lock", {"accounts": accounts})
    found = await connection.execute(statement("accounts/accounts", "with_open_invoices"), {"accounts": accounts})
    billing = found.all()
    owners = await connection.execute(statement("accounts/accounts", "customers"), {"customers": customers})
    known = {account.attribution_id: account for account in locked}
    changed = {"ids": windows_of_other_currency(rows, known)}
    billed = await connection.execute(statement("accounts/accounts", "billed_windows"), changed)
    return Known(
        accounts=known,
        billing=frozenset(row.attribution_id for row in billing),
        in_stripe=frozenset(row.attribution_id for row in billing if row.in_stripe),
        owners={row.stripe_customer_id: row.attribution_id for row in owners},
        billed=frozenset(billed.scalars()),
    )


async def _write(connection: AsyncConnection, plan: AccountPlan) -> None:
    if plan.accounts:
        await connection.execute(
            statement("accounts/accounts", "upsert"),
            {
                "accounts": [row.attribution_id for row in plan.accounts],
                "customers": [row.stripe_customer_id or None for row in plan.accounts],
                "currencies": [row.currency for row in plan.accounts],
                "bill_afters": [row.bill_after for row in plan.accounts],
            },
        )
        stored = {"accounts": [row.attribution_id for row in plan.accounts]}
        await connection.execute(statement("accounts/accounts", "set_customer_of_invoices"), stored)
        await connection.execute(
            statement("accounts/accounts", "follow_currency"),
            {"accounts": list(plan.former), "former": list(plan.former.values()), "named": list(plan.described)},
        )
        await write_details(connection, plan.accounts)
    await _write_windows(connection, plan)


async def _write_windows(connection: AsyncConnection, plan: AccountPlan) -> None:
    if plan.moved:
        await connection.execute(
            statement("accounts/accounts", "move_windows"),
            {"ids": list(plan.moved), "ended": list(plan.moved.values())},
        )
    if plan.inserted:
        await connection.execute(
            statement("accounts/accounts", "insert_windows"),
            {
                "accounts": [row.attribution_id for row in plan.inserted],
                "started": [row.started for row in plan.inserted],
                "ended": [row.ended for row in plan.inserted],
                "currencies": [row.currency for row in plan.inserted],
                "kinds": [row.kind or WindowKind.PAID for row in plan.inserted],
            },
        )
    if plan.described:
        await connection.execute(
            statement("accounts/accounts", "describe_windows"),
            {
                "ids": list(plan.described),
                "currencies": [currency for currency, _ in plan.described.values()],
                "kinds": [kind for _, kind in plan.described.values()],
            },
        )
