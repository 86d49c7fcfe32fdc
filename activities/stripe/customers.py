"""Stripe's customers and subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, instant, keyed, metadata_of
from activities.stripe.customer_data.finding import CustomerFinder
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import all_of, post_once
from billing.accounts.pauses import PauseBehavior
from billing.attribution import is_attribution_id, malformed_attribution_id
from contracts.messages.invoices import CustomerFound, CustomerOrder
from contracts.messages.subscriptions import (
    ListStripeAccounts,
    PausedCollection,
    StripeAccount,
    StripeAccountsPage,
    StripeSubscriptionSnapshot,
    SubscriptionRef,
)
from contracts.names import Activities
from reconciliation.subscriptions import NEVER_SERVED

_PAGE = 100
_LISTS_AT_ONCE = 4
_SUBSCRIPTIONS = "subscriptions:"
"""Prefix of the cursor after all customers were seen."""


class StripeCustomerActivities:
    """Finds, creates and lists customers; fetches subscriptions."""

    def __init__(self, client: StripeClient, finder: CustomerFinder | None = None) -> None:
        """Without a finder, customers and subscriptions name their account under `attribution_id`."""
        self._customers = client.v1.customers
        self._subscriptions = client.v1.subscriptions
        self._finder = finder or CustomerFinder(client)
        self._key = self._finder.key

    @activity.defn(name=Activities.ENSURE_CUSTOMER)
    async def ensure_customer(self, order: CustomerOrder) -> CustomerFound:
        """Return the customer whose metadata names the attribution id, else a new one.

        Search lags by up to an hour and the idempotency key lasts 24 h: together they prevent duplicates.
        """
        async with stripe_step():
            found = await self._finder.find(order.attribution_id)
            customer = found or await self._create(order.attribution_id)
            return CustomerFound(attribution_id=order.attribution_id, stripe_customer_id=customer["id"])

    async def _create(self, attribution_id: str) -> dict[str, Any]:
        async def post(after: tuple[str, ...]) -> dict[str, Any]:
            created = await self._customers.create_async(
                {
                    "description": f"Perdure account {attribution_id}",
                    "metadata": {self._key: attribution_id},
                },
                keyed("customer", attribution_id, *after),
            )
            return as_dict(created)

        async def find_made(_: bool) -> dict[str, Any] | None:
            # The failed request may have created the customer; search does not show it yet, the list does. Nor does it
            # show a customer that was created under this key with details.
            return await self._finder.find_recent(attribution_id)

        return await post_once(post, find_made, stripe.IdempotencyError)

    @activity.defn(name=Activities.RETRIEVE_SUBSCRIPTION)
    async def retrieve_subscription(self, ref: SubscriptionRef) -> StripeSubscriptionSnapshot:
        """Fetch the subscription."""
        async with stripe_step():
            found = await self._subscriptions.retrieve_async(
                ref.stripe_subscription_id, {"expand": ["customer", "latest_invoice"]}
            )
            subscription = as_dict(found)
            return _subscription(subscription, subscription["customer"], self._key)

    @activity.defn(name=Activities.LIST_STRIPE_ACCOUNTS)
    async def list_accounts(self, page: ListStripeAccounts) -> StripeAccountsPage:
        """List up to 100 customers after the cursor, with all subscriptions of those that name an attribution id.

        After all customers, the pages hold the subscriptions of customers that name none.
        """
        async with stripe_step():
            if page.cursor is not None and page.cursor.startswith(_SUBSCRIPTIONS):
                return await self._page_of_subscriptions(page.cursor.removeprefix(_SUBSCRIPTIONS))
            return await self._page_of_customers(page.cursor)

    async def _page_of_customers(self, cursor: str | None) -> StripeAccountsPage:
        found = await self._customers.list_async(_after(cursor))  # type: ignore[arg-type]
        customers = [as_dict(customer) for customer in found.data]
        named = [(customer, name) for customer in customers if (name := self._finder.name_of(customer))]
        accounts: list[StripeAccount] = []
        ours = [(customer, name) for customer, name in named if is_attribution_id(name)]
        for start in range(0, len(ours), _LISTS_AT_ONCE):
            chunk = ours[start : start + _LISTS_AT_ONCE]
            accounts += await asyncio.gather(*(self._account(customer, name) for customer, name in chunk))
        return StripeAccountsPage(
            accounts=accounts,
            seen=len(customers),
            faults=[self._malformed(customer["id"], name) for customer, name in named if not is_attribution_id(name)],
            cursor=customers[-1]["id"] if found.has_more else _SUBSCRIPTIONS,
        )

    async def _page_of_subscriptions(self, cursor: str) -> StripeAccountsPage:
        params = {**_after(cursor), "status": "all", "expand": ["data.customer"]}
        found = await self._subscriptions.list_async(params)  # type: ignore[arg-type]
        snapshots, faults, names = [], [], {}
        for subscription in map(as_dict, found.data):
            customer = subscription["customer"]
            if self._finder.name_of(customer) or customer.get("deleted") or subscription["status"] in NEVER_SERVED:
                continue
            snapshot = _subscription(subscription, customer, self._key)
            if snapshot.attribution_id and not is_attribution_id(snapshot.attribution_id):
                faults.append(self._malformed(subscription["id"], snapshot.attribution_id))
            else:
                snapshots.append(snapshot)
                names[customer["id"]] = customer.get("name")
        return StripeAccountsPage(
            accounts=_by_customer(snapshots, names),
            seen=0,
            faults=faults,
            cursor=_SUBSCRIPTIONS + found.data[-1].id if found.has_more else None,
        )

    async def _account(self, customer: dict[str, Any], attribution_id: str) -> StripeAccount:
        page = await self._subscriptions.list_async({"customer": customer["id"], "status": "all", "limit": _PAGE})
        subscriptions = [_subscription(each, customer, self._key) for each in await all_of(page)]
        served = [s for s in subscriptions if s.status not in NEVER_SERVED]
        currency = customer.get("currency") or (served[0].currency if served else None)
        return StripeAccount(
            attribution_id=attribution_id,
            stripe_customer_id=customer["id"],
            currency=currency or _GUESS,
            subscriptions=served,
            currency_known=currency is not None,
            name=customer.get("name"),
        )

    def _malformed(self, stripe_id: str, name: str) -> str:
        return f"{stripe_id}: metadata {self._key}: {malformed_attribution_id(name)}"


_GUESS = "usd"
"""For billing workers that do not know `currency_known` yet."""


def _after(cursor: str | None) -> dict[str, Any]:
    return {"limit": _PAGE, **({"starting_after": cursor} if cursor else {})}


def _by_customer(snapshots: list[StripeSubscriptionSnapshot], names: Mapping[str, str | None]) -> list[StripeAccount]:
    def owner(each: StripeSubscriptionSnapshot) -> tuple[str, str]:
        return each.stripe_customer_id, each.attribution_id or ""

    return [
        StripeAccount(
            attribution_id=attribution_id,
            stripe_customer_id=customer,
            currency=(theirs := list(group))[0].currency,
            subscriptions=theirs,
            name=names[customer],
        )
        for (customer, attribution_id), group in groupby(sorted(snapshots, key=owner), key=owner)
    ]


def _subscription(subscription: dict[str, Any], customer: dict[str, Any], key: str) -> StripeSubscriptionSnapshot:
    started = instant(subscription["start_date"])
    assert started is not None
    return StripeSubscriptionSnapshot(
        stripe_subscription_id=subscription["id"],
        stripe_customer_id=customer["id"],
        status=subscription["status"],
        currency=subscription["currency"],
        attribution_id=metadata_of(subscription).get(key) or metadata_of(customer).get(key),
        started=started,
        ended=instant(subscription.get("ended_at")),
        created=instant(subscription.get("created")),
        trial_start=instant(subscription.get("trial_start")),
        trial_end=instant(subscription.get("trial_end")),
        billing_cycle_anchor=instant(subscription.get("billing_cycle_anchor")),
        pause=_pause(subscription.get("pause_collection")),
        **_cycle(subscription),
        **_latest_invoice(subscription.get("latest_invoice")),
    )


def _pause(found: dict[str, Any] | None) -> PausedCollection | None:
    if found is None:
        return None
    return PausedCollection(behavior=PauseBehavior(found["behavior"]), resumes_at=instant(found.get("resumes_at")))


def _cycle(subscription: dict[str, Any]) -> dict[str, Any]:
    """Return the present cycle: that of the item which renews first."""
    items = subscription["items"]["data"]
    periods = [(instant(each["current_period_end"]), instant(each["current_period_start"])) for each in items]
    end, start = min(periods, default=(None, None))
    return {"cycle_start": start, "cycle_end": end}


def _latest_invoice(invoice: dict[str, Any] | str | None) -> dict[str, Any]:
    if not isinstance(invoice, dict):
        return {"latest_invoice": invoice}
    draft_since = instant(invoice["created"]) if invoice["status"] == "draft" else None
    return {"latest_invoice": invoice["id"], "latest_invoice_draft_since": draft_since}
