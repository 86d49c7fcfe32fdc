"""What Stripe's customers have that invoices need, in Postgres."""

from __future__ import annotations

from temporalio import activity

from activities.postgres.scopes import needs_of
from activities.step import step
from contracts.messages.customers import (
    CustomerSeen,
    CustomersRecorded,
    CustomersSeen,
    CustomersToAsk,
    CustomerToAsk,
    FindCustomersToAsk,
)
from contracts.names import Activities
from settings import Settings
from storage.accounts import customers
from storage.accounts.customers import AccountsToAsk, SeenCustomer
from storage.postgres.database import Database

_MOST = 500
"""The largest page of accounts that a batch claims."""


class CustomerActivities:
    """Says which customers Stripe must be asked about, and records its answers. Sees no details of people."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._needs = needs_of(settings)

    @activity.defn(name=Activities.FIND_CUSTOMERS_TO_ASK)
    async def find_to_ask(self, find: FindCustomersToAsk) -> CustomersToAsk:
        """Return the accounts with usage whose customers may lack something that the settings need."""
        async with step():
            which = AccountsToAsk(find.since, find.after, find.through, find.attribution_id)
            found = await customers.accounts_to_ask(self._db, which, self._needs, _MOST) if self._needs else []
            return CustomersToAsk(
                customers=[
                    CustomerToAsk(attribution_id=each.attribution_id, stripe_customer_id=each.stripe_customer_id)
                    for each in found
                ],
                location=self._needs.address,
            )

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


def _seen(each: CustomerSeen) -> SeenCustomer:
    return SeenCustomer(each.attribution_id, each.stripe_customer_id, each.email, each.location)
