"""What Stripe's customers have that invoices need, in Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from activities.postgres.scopes import needs_of
from activities.step import step
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from contracts.messages.customers import (
    CustomerResumed,
    CustomerSeen,
    CustomersRecorded,
    CustomersSeen,
    CustomersToAsk,
    CustomersWoken,
    CustomerToAsk,
    FindCustomersToAsk,
    ResumeCustomer,
    WakeCustomers,
)
from contracts.names import Activities
from settings import Settings
from storage.accounts import customers, waiting
from storage.accounts.customers import AccountsToAsk, AccountToAsk, SeenCustomer
from storage.accounts.waiting import WaitingAccount, WhoWaits
from storage.postgres.database import Database
from temporal import start
from temporal.customers import retry_drafts, wake_customer

_MOST = 500
"""The largest page of accounts that a batch claims."""
_MOST_WAITING = 100
"""The most customers that one catch-up asks about: those that wait after them are next."""


class CustomerActivities:
    """Says which customers Stripe must be asked about, records its answers, and has billed what waits for them.

    Sees no details of people.
    """

    def __init__(self, db: Database, settings: Settings, client: Client) -> None:
        self._db = db
        self._client = client
        self._pause = 1 / settings.events_wake_ups_per_second
        self._settings = settings
        self._needs = needs_of(settings)

    @activity.defn(name=Activities.FIND_CUSTOMERS_TO_ASK)
    async def find_to_ask(self, find: FindCustomersToAsk) -> CustomersToAsk:
        """Return the accounts with usage whose customers may lack something that the settings need."""
        async with step():
            if find.waiting:
                whose = WhoWaits(find.attribution_id, find.stripe_customer_id)
                found = await waiting.waiting_to_ask(self._db, whose, _MOST_WAITING) if self._needs else []
                return _to_ask(found, location=self._needs.address)
            which = AccountsToAsk(find.since, find.after, find.through, find.attribution_id)
            found = await customers.accounts_to_ask(self._db, which, self._needs, _MOST) if self._needs else []
            return _to_ask(found, location=self._needs.address)

    @activity.defn(name=Activities.RECORD_CUSTOMERS)
    async def record(self, seen: CustomersSeen) -> CustomersRecorded:
        """Record what Stripe has. Customers without an account's name are those of a list of all."""
        async with step():
            named = [_seen(each) for each in seen.customers if each.attribution_id]
            listed = [_seen(each) for each in seen.customers if not each.attribution_id]
            if named:
                await customers.record_seen(self._db, named)
            if listed:
                await customers.record_listed(self._db, listed)
            return CustomersRecorded(customers=len(seen.customers))

    @activity.defn(name=Activities.RESUME_CUSTOMER)
    async def resume(self, order: ResumeCustomer) -> CustomerResumed:
        """Bill what waits for a customer that lacks nothing now, one period after the other. Idempotent.

        Raises:
            RPCError: Temporal does not accept it.
        """
        async with step():
            ref = order.customer
            if ref.attribution_id is not None:
                # An invoice would search it, and search can lag.
                await customers.record_made(self._db, ref.attribution_id, ref.stripe_customer_id)
            whose = WhoWaits(ref.attribution_id, None if ref.attribution_id else ref.stripe_customer_id)
            found = await self._resumable(whose, 1, with_drafts=True)
            if not found:
                return CustomerResumed()
            (account,) = found
            if not order.again:
                for subscription in account.subscriptions:
                    await start.retry_subscription(self._client, subscription)
                if account.drafts:
                    await retry_drafts(self._client, account.attribution_id)
            # A cancellation bills its usage by itself, as far as it waits, so that no run of a period may come first.
            awaited = set(account.periods) & set(order.started) or account.subscriptions
            runs = [] if awaited else account.periods[:1]
            for period in runs:
                await start.start_period(self._client, period, account.attribution_id)
            return CustomerResumed(
                attribution_id=account.attribution_id,
                waiting=list(account.periods),
                started=next(iter(runs), None),
                subscriptions=list(account.subscriptions),
            )

    @activity.defn(name=Activities.WAKE_CUSTOMERS)
    async def wake(self, _order: WakeCustomers) -> CustomersWoken:
        """Wake the customers that lack nothing now, at a bounded rate.

        Raises:
            RPCError: Temporal does not accept it.
        """
        async with step():
            found = await self._resumable(WhoWaits(), _MOST_WAITING)
            for each in found:
                await wake_customer(self._client, each.stripe_customer_id, each.attribution_id)
                await asyncio.sleep(self._pause)
            return CustomersWoken(customers=len(found))

    async def _resumable(self, which: WhoWaits, limit: int, *, with_drafts: bool = False) -> list[WaitingAccount]:
        ended = BillingPeriod.last_ended(datetime.now(UTC), self._settings.zone)
        charge_on = ChargeOn(self._settings.charge_on)
        return await waiting.resumable(self._db, which, self._needs, ended, charge_on, limit, with_drafts=with_drafts)


def _to_ask(found: Sequence[AccountToAsk], *, location: bool) -> CustomersToAsk:
    asked = [
        CustomerToAsk(attribution_id=each.attribution_id, stripe_customer_id=each.stripe_customer_id) for each in found
    ]
    return CustomersToAsk(customers=asked, location=location)


def _seen(each: CustomerSeen) -> SeenCustomer:
    return SeenCustomer(each.attribution_id, each.stripe_customer_id, each.email, each.location)
