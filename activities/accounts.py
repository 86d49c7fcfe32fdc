"""Accounts and their subscription windows in Postgres."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities.errors import step
from billing.errors import PermanentError
from billing.rows import AccountRow
from contracts.names import Activities
from contracts.subscriptions import (
    ApplySubscription,
    StoreStripeAccounts,
    StripeAccountsStored,
    StripeSubscriptionSnapshot,
    SubscriptionApplied,
)
from storage import accounts
from storage.database import Database

# Before its first payment Stripe serves nothing, and may never.
_NOT_STARTED = frozenset({"incomplete", "incomplete_expired"})


class AccountActivities:
    """Takes over what Stripe says of customers and subscriptions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.APPLY_SUBSCRIPTION)
    async def apply_subscription(self, apply: ApplySubscription) -> SubscriptionApplied:
        """Open or end the account's window for this subscription.

        An account is found by its customer, else by the attribution id in metadata, else made from that. A
        subscription that names none is not ours.

        Raises:
            ApplicationError: non-retryable when the account would have two windows at once.
        """
        async with step():
            found = apply.subscription
            account = await accounts.account_for_customer(self._db, found.stripe_customer_id)
            attribution_id = account.attribution_id if account else found.attribution_id
            if attribution_id is None:
                return SubscriptionApplied(attribution_id=None, ended=None, note="No account of ours: ignored.")
            if found.status in _NOT_STARTED:
                return SubscriptionApplied(
                    attribution_id=attribution_id, ended=None, note=f"Not started: {found.status}."
                )
            if account is None:
                await self._first_seen(attribution_id, apply)
            await self._apply_window(attribution_id, found)
            until = f"until {found.ended.isoformat()}" if found.ended else "and open"
            return SubscriptionApplied(
                attribution_id=attribution_id,
                ended=found.ended,
                note=f"Window of {attribution_id} from {found.started.isoformat()} {until}.",
            )

    @activity.defn(name=Activities.STORE_STRIPE_ACCOUNTS)
    async def store_accounts(self, store: StoreStripeAccounts) -> StripeAccountsStored:
        """Store a page of Stripe's accounts; `bill_after` bounds those that are seen for the first time."""
        stored, faults = 0, []
        async with step():
            for found in store.accounts:
                try:
                    known = await accounts.get_account(self._db, found.attribution_id)
                    await self._upsert(
                        found.attribution_id,
                        found.stripe_customer_id,
                        known.currency if known else found.currency,
                        known.bill_after if known else store.bill_after,
                    )
                    for subscription in sorted(found.subscriptions, key=lambda s: s.started):
                        await self._apply_window(found.attribution_id, subscription)
                    stored += 1
                except PermanentError as error:
                    faults.append(f"{found.attribution_id} ({found.stripe_customer_id}): {error}")
        return StripeAccountsStored(stored=stored, faults=faults)

    async def _first_seen(self, attribution_id: str, apply: ApplySubscription) -> None:
        """Make the account, or give it its customer.

        A new one is charged from its subscription's start when Stripe has just made that, else from now on:
        adopting Perdure never bills the past by surprise.
        """
        found = apply.subscription
        known = await accounts.get_account(self._db, attribution_id)
        if known is not None:
            await self._upsert(attribution_id, found.stripe_customer_id, known.currency, known.bill_after)
            return
        bill_after = found.started if apply.seen_at_creation else datetime.now(UTC)
        await self._upsert(attribution_id, found.stripe_customer_id, found.currency, bill_after)

    async def _upsert(self, attribution_id: str, customer: str, currency: str, bill_after: datetime | None) -> None:
        row = AccountRow(
            line=1,
            attribution_id=attribution_id,
            stripe_customer_id=customer,
            currency=currency,
            bill_after=bill_after,
            started=None,
            ended=None,
        )
        for fault in await accounts.upsert_accounts(self._db, [row]):
            raise accounts.AccountConflictError(f"{fault.column}: {fault.reason}")

    async def _apply_window(self, attribution_id: str, found: StripeSubscriptionSnapshot) -> None:
        await accounts.apply_subscription_window(
            self._db, attribution_id, found.stripe_subscription_id, found.started, found.ended
        )
