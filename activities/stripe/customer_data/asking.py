"""What Stripe has of customers, as far as an invoice needs it: an email address, a recognized location."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict
from activities.stripe.customer_data.finding import CustomerFinder
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import is_missing
from contracts.messages.customers import (
    AskCustomers,
    CustomerSeen,
    CustomersListed,
    CustomersSeen,
    CustomerToAsk,
    ListCustomers,
)
from contracts.names import Activities

_PAGE = 100
_PAGES = 10
_AT_ONCE = 4
_RECOGNIZED = ("supported", "not_collecting")
"""The states of `tax.automatic_tax` in which Stripe Tax knows where a customer is
(https://docs.stripe.com/api/customers/object)."""


class StripeCustomerChecks:
    """Says whether customers have an email address and a location that Stripe Tax recognizes, and nothing else."""

    def __init__(self, client: StripeClient, finder: CustomerFinder) -> None:
        self._customers = client.v1.customers
        self._finder = finder

    @activity.defn(name=Activities.ASK_CUSTOMERS)
    async def ask(self, asked: AskCustomers) -> CustomersSeen:
        """Return what each customer has. An account without a customer is searched by its name in the metadata."""
        async with stripe_step():
            nameless = [each.attribution_id for each in asked.customers if each.stripe_customer_id is None]
            found = await self._finder.find_several(nameless)
            ids = {account: customer["id"] for account, customer in found.items()}
            answers: list[CustomerSeen] = []
            for start in range(0, len(asked.customers), _AT_ONCE):
                some = asked.customers[start : start + _AT_ONCE]
                answers += await asyncio.gather(*(self._ask(each, ids, location=asked.location) for each in some))
            return CustomersSeen(customers=answers)

    async def _ask(self, account: CustomerToAsk, found: Mapping[str, str], *, location: bool) -> CustomerSeen:
        customer_id = account.stripe_customer_id or found.get(account.attribution_id)
        if customer_id is None:
            return CustomerSeen(attribution_id=account.attribution_id, email=False, location=False)
        return seen(await self._retrieve(customer_id, location=location), account.attribution_id)

    async def _retrieve(self, customer_id: str, *, location: bool) -> dict[str, Any]:
        """Return the customer, as a deleted one if this key does not see it."""
        try:
            return as_dict(await self._customers.retrieve_async(customer_id, expanded("tax", location=location)))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            return {"id": customer_id, "deleted": True}

    @activity.defn(name=Activities.LIST_CUSTOMERS)
    async def list_all(self, page: ListCustomers) -> CustomersListed:
        """Return what the customers of the next pages have."""
        async with stripe_step():
            cursor, listed = page.cursor, list[CustomerSeen]()
            for _ in range(_PAGES):
                after = {"starting_after": cursor} if cursor else {}
                params: Any = {"limit": _PAGE, **after, **expanded("data.tax", location=page.location)}
                found = await self._customers.list_async(params)
                listed += [seen(as_dict(customer)) for customer in found.data]
                cursor = found.data[-1].id if found.has_more else None
                if cursor is None:
                    break
            return CustomersListed(customers=listed, cursor=cursor)


def expanded(path: str, *, location: bool) -> Any:
    """Return the parameters of a request for customers; `tax`, at this path, is only returned if it is asked for."""
    return {"expand": [path]} if location else {}


def seen(customer: dict[str, Any], attribution_id: str = "") -> CustomerSeen:
    """Return what a customer has that invoices need. A deleted customer has nothing."""
    tax = customer.get("tax")
    return CustomerSeen(
        attribution_id=attribution_id,
        stripe_customer_id=customer["id"],
        email=bool(customer.get("email")),
        location=tax.get("automatic_tax") in _RECOGNIZED if tax else False if customer.get("deleted") else None,
    )
