"""What the Stripe customers of accounts are known to have in Stripe. Nothing here is about a person but the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.accounts.customer import CustomerNeeds
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

TRUSTED_FOR = timedelta(days=1)
"""How long it counts that a customer had everything when Stripe was asked."""


@dataclass(frozen=True)
class AccountToAsk:
    """An account whose customer Stripe is to be asked about; without a customer, it is searched."""

    attribution_id: str
    stripe_customer_id: str | None


@dataclass(frozen=True)
class AccountsToAsk:
    """Which accounts: those with `after` < attribution id ≤ `through`, or one.

    `since`: a customer that lacked something is asked again if it was last asked before that.
    """

    since: datetime
    after: str = ""
    through: str | None = None
    attribution_id: str | None = None


@dataclass(frozen=True)
class SeenCustomer:
    """An account's customer as Stripe has it. No id: no customer names the account.

    `address` is None if Stripe was not asked about it.
    """

    attribution_id: str
    stripe_customer_id: str | None
    email: bool
    address: bool | None


async def accounts_to_ask(db: Database, which: AccountsToAsk, needs: CustomerNeeds, limit: int) -> list[AccountToAsk]:
    """Return up to `limit` accounts with usage whose customer may lack something needed, ordered by id."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("accounts/customers", "to_ask"),
            {
                "after": which.after,
                "through": which.through,
                "attribution_id": which.attribution_id,
                "since": which.since,
                "trusted_since": which.since - TRUSTED_FOR,
                "email": needs.email,
                "address": needs.address,
                "limit": limit,
            },
        )
        return [record(AccountToAsk, row) for row in found]


async def record_seen(db: Database, seen: Sequence[SeenCustomer]) -> None:
    """Record what Stripe says of the customers of these accounts; an account without a customer gets the one found.

    If that one is another account's, it is recorded that it names this account, too.
    """
    found = {
        "accounts": [each.attribution_id for each in seen],
        "customers": [each.stripe_customer_id for each in seen],
    }
    has = {"emails": [each.email for each in seen], "addresses": [each.address for each in seen]}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/customers", "lock"), {"accounts": found["accounts"]})
        await connection.execute(statement("accounts/customers", "record"), {**found, **has})
        await connection.execute(statement("accounts/customers", "record_of_another"), found)


async def record_listed(db: Database, listed: Sequence[SeenCustomer]) -> None:
    """Record what Stripe says of customers, for those that are customers of accounts."""
    customers = {"customers": [each.stripe_customer_id for each in listed]}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/customers", "lock_listed"), customers)
        await connection.execute(
            statement("accounts/customers", "record_listed"),
            {
                **customers,
                "emails": [each.email for each in listed],
                "addresses": [each.address for each in listed],
            },
        )


async def record_made(db: Database, attribution_id: str, stripe_customer_id: str) -> None:
    """Record the customer that an account has got, unless it has one already, or another account has this one."""
    given = {"attribution_id": attribution_id, "customer": stripe_customer_id}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/customers", "record_made"), given)


async def record_names(db: Database, names: Mapping[str, str | None]) -> None:
    """Record the names that customers of accounts have in Stripe, by customer, where none was imported.

    A customer without a name changes nothing.
    """
    named = {customer: name for customer, name in names.items() if name}
    customers = {"customers": list(named)}
    async with db.transaction() as connection:
        await connection.execute(statement("accounts/customers", "lock_listed"), customers)
        await connection.execute(
            statement("accounts/customers", "record_names"), {**customers, "names": list(named.values())}
        )
