"""Stripe's customers and subscriptions."""

from __future__ import annotations

from typing import Any

from stripe import StripeClient
from temporalio import activity

from activities.stripe_client import as_dict, instant, keyed
from activities.stripe_errors import stripe_step
from billing.attribution import is_attribution_id
from contracts import stripe_metadata
from contracts.invoices import CustomerFound, CustomerOrder
from contracts.names import Activities
from contracts.subscriptions import (
    ListStripeAccounts,
    StripeAccount,
    StripeAccountsPage,
    StripeSubscriptionSnapshot,
    SubscriptionRef,
)

# Stripe starts to serve a subscription in these states only after a first payment, if ever.
_NEVER_SERVED = frozenset({"incomplete", "incomplete_expired"})


class StripeCustomerActivities:
    """Finds, creates and lists customers; fetches subscriptions."""

    def __init__(self, client: StripeClient) -> None:
        self._customers = client.v1.customers
        self._subscriptions = client.v1.subscriptions

    @activity.defn(name=Activities.ENSURE_CUSTOMER)
    async def ensure_customer(self, order: CustomerOrder) -> CustomerFound:
        """The customer whose metadata names the attribution id, else a new one.

        Search lags behind by up to an hour, the idempotency key lasts 24 h: between them none is made twice.
        """
        with stripe_step():
            query = f"metadata['{stripe_metadata.ATTRIBUTION_ID}']:'{order.attribution_id}'"
            found = await self._customers.search_async({"query": query, "limit": 10})
            customers = sorted((as_dict(customer) for customer in found.data), key=lambda c: c["created"])
            if not customers:
                created = await self._customers.create_async(
                    {
                        "description": f"Perdure account {order.attribution_id}",
                        "metadata": {stripe_metadata.ATTRIBUTION_ID: order.attribution_id},
                    },
                    keyed("customer", order.attribution_id),
                )
                customers = [as_dict(created)]
            return CustomerFound(attribution_id=order.attribution_id, stripe_customer_id=customers[0]["id"])

    @activity.defn(name=Activities.RETRIEVE_SUBSCRIPTION)
    async def retrieve_subscription(self, ref: SubscriptionRef) -> StripeSubscriptionSnapshot:
        """The subscription as Stripe has it now."""
        with stripe_step():
            found = await self._subscriptions.retrieve_async(ref.stripe_subscription_id, {"expand": ["customer"]})
            subscription = as_dict(found)
            return _subscription(subscription, subscription["customer"])

    @activity.defn(name=Activities.LIST_STRIPE_ACCOUNTS)
    async def list_accounts(self, page: ListStripeAccounts) -> StripeAccountsPage:
        """Up to 100 customers after the cursor; of those that name an attribution id, all subscriptions."""
        with stripe_step():
            params: dict[str, Any] = {"limit": 100}
            if page.cursor is not None:
                params["starting_after"] = page.cursor
            found = await self._customers.list_async(params)  # type: ignore[arg-type]
            customers = [as_dict(customer) for customer in found.data]
            accounts, faults = [], []
            for customer in customers:
                named = (customer.get("metadata") or {}).get(stripe_metadata.ATTRIBUTION_ID)
                if named and not is_attribution_id(named):
                    faults.append(f"{customer['id']}: metadata attribution_id {named!r} is malformed")
                elif named:
                    accounts.append(await self._account(customer, named))
                activity.heartbeat()
            return StripeAccountsPage(
                accounts=accounts,
                seen=len(customers),
                faults=faults,
                cursor=customers[-1]["id"] if found.has_more else None,
            )

    async def _account(self, customer: dict[str, Any], attribution_id: str) -> StripeAccount:
        page = await self._subscriptions.list_async({"customer": customer["id"], "status": "all", "limit": 100})
        subscriptions = [_subscription(as_dict(s), customer) async for s in page.auto_paging_iter()]
        served = [s for s in subscriptions if s.status not in _NEVER_SERVED]
        currency = customer.get("currency") or (served[0].currency if served else "usd")
        return StripeAccount(
            attribution_id=attribution_id,
            stripe_customer_id=customer["id"],
            currency=currency,
            subscriptions=served,
        )


def _subscription(subscription: dict[str, Any], customer: dict[str, Any]) -> StripeSubscriptionSnapshot:
    named = (subscription.get("metadata") or {}).get(stripe_metadata.ATTRIBUTION_ID)
    named = named or (customer.get("metadata") or {}).get(stripe_metadata.ATTRIBUTION_ID)
    started = instant(subscription["start_date"])
    assert started is not None
    return StripeSubscriptionSnapshot(
        stripe_subscription_id=subscription["id"],
        stripe_customer_id=customer["id"],
        status=subscription["status"],
        currency=subscription["currency"],
        attribution_id=named,
        started=started,
        ended=instant(subscription.get("ended_at")),
    )
