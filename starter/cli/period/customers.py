"""Asks Stripe, before a dry run, what customers have that the settings need."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from temporalio.client import Client

from activities.postgres.scopes import needs_of
from billing.errors import StripeNotAskedError
from contracts.messages.customers import AskCustomers, CustomerSeen, CustomerToAsk, ListCustomers
from settings import Settings
from starter.cli import output
from storage.accounts.customers import (
    AccountsToAsk,
    AccountToAsk,
    SeenCustomer,
    accounts_to_ask,
    record_listed,
    record_seen,
)
from storage.postgres.database import Database
from temporal.client import TemporalUnavailableError, connect
from temporal.customers import ask_customers, list_customers

_PAGE = 400
_A_REQUEST = 20
_MANY = 200


async def ask_about_customers(db: Database, settings: Settings, account: str | None) -> None:
    """Ask Stripe about the customers that may lack something, and remember its answers for the run.

    If it cannot be asked, a line on stderr says so, and accounts that were never asked about are shown as not known.
    """
    needs = needs_of(settings)
    which = AccountsToAsk(datetime.now(UTC), attribution_id=account)
    if not needs or not (found := await accounts_to_ask(db, which, needs, _PAGE)):
        return
    try:
        client = await connect()
        if len(found) >= _MANY:
            await _list(db, client, location=needs.address)
        after = ""
        while found := await accounts_to_ask(db, _after(which, after), needs, _PAGE):
            await _ask(db, client, found, location=needs.address)
            after = found[-1].attribution_id
    except (TemporalUnavailableError, StripeNotAskedError) as error:
        output.complain(f"perdure: Stripe was not asked what customers have: {error}")


def _after(which: AccountsToAsk, after: str) -> AccountsToAsk:
    return AccountsToAsk(which.since, after, attribution_id=which.attribution_id)


async def _list(db: Database, client: Client, *, location: bool) -> None:
    cursor: str | None = None
    while True:
        page = await list_customers(client, ListCustomers(cursor=cursor, location=location))
        await record_listed(db, [_seen(each) for each in page.customers])
        cursor = page.cursor
        if cursor is None:
            return


async def _ask(db: Database, client: Client, found: list[AccountToAsk], *, location: bool) -> None:
    accounts = [
        CustomerToAsk(attribution_id=each.attribution_id, stripe_customer_id=each.stripe_customer_id) for each in found
    ]
    some = [accounts[start : start + _A_REQUEST] for start in range(0, len(accounts), _A_REQUEST)]
    for answer in await asyncio.gather(
        *(ask_customers(client, AskCustomers(customers=each, location=location)) for each in some)
    ):
        await record_seen(db, [_seen(each) for each in answer.customers])


def _seen(each: CustomerSeen) -> SeenCustomer:
    return SeenCustomer(each.attribution_id, each.stripe_customer_id, each.email, each.location)
