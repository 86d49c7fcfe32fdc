"""Create a customer with its details, or change those of an existing one."""

from __future__ import annotations

from typing import Any

import stripe
from stripe import StripeClient
from temporalio import activity

from activities.stripe.client import as_dict, keyed
from activities.stripe.customer_data.asking import expanded, seen
from activities.stripe.customer_data.finding import CustomerFinder
from activities.stripe.errors import stripe_step
from activities.stripe.gateway import all_of, is_missing, post_once
from billing.errors import StripeRefusedError
from contracts.messages.customers import CustomerSeen, SendCustomer
from contracts.names import Activities

_CONFLICT = 409


class StripeCustomerDetails:
    """Sends details of customers to Stripe. Only what differs is changed, and nothing is removed."""

    def __init__(self, client: StripeClient, finder: CustomerFinder) -> None:
        self._customers = client.v1.customers
        self._finder = finder

    @activity.defn(name=Activities.SEND_CUSTOMER)
    async def send(self, order: SendCustomer) -> CustomerSeen:
        """Give the account's customer these details, creating it if there is none. Returns what it has then.

        Raises:
            ApplicationError: non-retryable if Stripe refuses a detail; the text does not quote it.
        """
        async with stripe_step():
            try:
                found = await self._found(order)
                if found is not None and order.stripe_customer_id is None and order.only_find:
                    return seen(found, order.attribution_id).model_copy(update={"only_found": True})
                customer = found or await self._create(order)
                if changes := _changes(order, customer):
                    customer = as_dict(await self._customers.update_async(customer["id"], changes))
                if order.tax_id is not None:
                    await self._add_tax_id(customer["id"], order.tax_id)
            except stripe.InvalidRequestError as error:
                if error.http_status == _CONFLICT:
                    raise
                # Stripe's text can quote what it refuses, and that is about a person.
                what = f"{error.param or 'details'} ({error.code or 'invalid'})"
                raise StripeRefusedError(f"Stripe refuses the customer's {what}") from None
            if order.location:
                located = await self._customers.retrieve_async(customer["id"], expanded("tax", location=True))
                customer = as_dict(located)
            return seen(customer, order.attribution_id)

    async def _found(self, order: SendCustomer) -> dict[str, Any] | None:
        if order.stripe_customer_id is None:
            return await self._finder.find(order.attribution_id)
        try:
            customer = as_dict(await self._customers.retrieve_async(order.stripe_customer_id))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            customer = {"deleted": True}
        if customer.get("deleted"):
            raise StripeRefusedError(
                f"Stripe has no customer {order.stripe_customer_id}: import the account with another one"
            )
        return customer

    async def _create(self, order: SendCustomer) -> dict[str, Any]:
        async def post(after: tuple[str, ...]) -> dict[str, Any]:
            params: Any = {
                "description": f"Perdure account {order.attribution_id}",
                "metadata": {self._finder.key: order.attribution_id},
                **_changes(order, {}),
            }
            # The same key as of a customer without details, so that an account gets one customer.
            return as_dict(await self._customers.create_async(params, keyed("customer", order.attribution_id, *after)))

        async def find_made(_: bool) -> dict[str, Any] | None:
            return await self._finder.find_recent(order.attribution_id)

        return await post_once(post, find_made, stripe.IdempotencyError)

    async def _add_tax_id(self, customer_id: str, tax_id: str) -> None:
        """Add the tax id to those that the customer has."""
        kind, _, value = tax_id.partition(":")
        page = await self._customers.tax_ids.list_async(customer_id, {"limit": 100})
        if any((each["type"], _plain(each["value"])) == (kind, _plain(value)) for each in await all_of(page)):
            return
        params: Any = {"type": kind, "value": value}
        await self._customers.tax_ids.create_async(customer_id, params)


def _changes(order: SendCustomer, customer: dict[str, Any]) -> Any:
    """Return the parameters for the details that the customer does not have; an address is changed as a whole."""
    changes: dict[str, Any] = {
        name: value
        for name, value in (("name", order.name), ("email", order.email))
        if value is not None and value != customer.get(name)
    }
    if order.address is not None:
        wanted = order.address.model_dump()
        known = customer.get("address") or {}
        if any((known.get(name) or None) != value for name, value in wanted.items()):
            changes["address"] = {name: value or "" for name, value in wanted.items()}
    return changes


def _plain(value: str) -> str:
    return value.replace(" ", "").upper()
