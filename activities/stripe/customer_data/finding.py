"""Find the Stripe customer of an account, by search, or by a list where Stripe offers no search."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

import stripe
from stripe import StripeClient

from activities.stripe.client import as_dict, metadata_of
from contracts import stripe_metadata

logger = logging.getLogger("perdure.stripe")

_PAGE = 100
_RECENT_PAGES = 10
_SEVERAL = 4
_TRUSTED_SECONDS = 3600.0
"""How long a complete list, or a refused search, counts: search itself can lag by an hour."""


class CustomerFinder:
    """Finds customers whose metadata names an account exactly.

    Search ignores case, so that every hit is compared. A refused search is replaced by a list: merchants in India have
    no search (https://docs.stripe.com/api/customers/search), and a restricted key may not be allowed to use it. Neither
    shows customers of a test clock.
    """

    def __init__(self, client: StripeClient, account_key: str = stripe_metadata.ATTRIBUTION_ID) -> None:
        """`account_key`: the metadata key under which customers and subscriptions name their account."""
        self.key = account_key
        self._customers = client.v1.customers
        self._listed = _ListedCustomers(client, account_key)
        self._search_refused_at: float | None = None

    def name_of(self, thing: dict[str, Any]) -> str | None:
        """Return the account that a Stripe object names. None if it names none."""
        return metadata_of(thing).get(self.key)

    async def find(self, attribution_id: str) -> dict[str, Any] | None:
        """Return the oldest customer that names the account. None if there is none.

        Raises:
            stripe.StripeError: neither the search nor the list can be used.
        """
        if self._search_refused_at is None or monotonic() - self._search_refused_at > _TRUSTED_SECONDS:
            try:
                return await self._search(attribution_id)
            except (stripe.InvalidRequestError, stripe.PermissionError) as error:
                # The query is always well-formed, so that a refusal concerns search itself.
                logger.warning("customers are listed, since they cannot be searched: %s", error.user_message)
                self._search_refused_at = monotonic()
        return await self._listed.find(attribution_id)

    async def find_several(self, attribution_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the oldest customers that name these accounts, by account; those without one are left out.

        Several are found in the list of all customers, which costs less than a search for each. Of a few, the newest
        customers are listed, too: search shows them after a minute.

        Raises:
            stripe.StripeError: Stripe refuses to list customers.
        """
        if len(attribution_ids) < _SEVERAL:
            found = {each: await self.find(each) or await self.find_recent(each) for each in attribution_ids}
        else:
            found = await self._listed.find_several(attribution_ids)
        return {attribution_id: customer for attribution_id, customer in found.items() if customer is not None}

    async def find_recent(self, attribution_id: str) -> dict[str, Any] | None:
        """Return the customer that names the account among the newest ones; the list is strongly consistent."""
        page = await self._customers.list_async({"limit": _PAGE})
        for _ in range(_RECENT_PAGES):
            for customer in map(as_dict, page.data):
                if self.name_of(customer) == attribution_id:
                    return customer
            if not page.has_more:
                break
            page = await self._customers.list_async({"limit": _PAGE, "starting_after": page.data[-1].id})
        return None

    async def _search(self, attribution_id: str) -> dict[str, Any] | None:
        query = f"metadata['{self.key}']:'{attribution_id}'"
        page = await self._customers.search_async({"query": query, "limit": _PAGE})
        hits = [as_dict(each) async for each in page.auto_paging_iter()]
        same = [customer for customer in hits if self.name_of(customer) == attribution_id]
        return min(same, key=lambda customer: (customer["created"], customer["id"]), default=None)


class _ListedCustomers:
    """All customers by the account that they name: listed once an hour, and each time those that are newer.

    A list that is cut off is continued by the next call.
    """

    def __init__(self, client: StripeClient, account_key: str) -> None:
        self._customers = client.v1.customers
        self._key = account_key
        self._reading = asyncio.Lock()
        self._ids: dict[str, dict[str, int]] = {}
        self._newest = 0
        self._after: str | None = None
        self._complete_at: float | None = None

    async def find(self, attribution_id: str) -> dict[str, Any] | None:
        return (await self.find_several([attribution_id]))[attribution_id]

    async def find_several(self, attribution_ids: Sequence[str]) -> dict[str, dict[str, Any] | None]:
        async with self._reading:
            await self._read()
        return {attribution_id: await self._oldest(attribution_id) for attribution_id in attribution_ids}

    async def _oldest(self, attribution_id: str) -> dict[str, Any] | None:
        ids = self._ids.get(attribution_id, {})
        for customer_id in sorted(ids, key=lambda each: (ids[each], each)):
            # It may be deleted, or name another account, since it was listed.
            customer = as_dict(await self._customers.retrieve_async(customer_id))
            if not customer.get("deleted") and metadata_of(customer).get(self._key) == attribution_id:
                return customer
        return None

    async def _read(self) -> None:
        if self._complete_at is not None and monotonic() - self._complete_at > _TRUSTED_SECONDS:
            self._ids, self._after, self._complete_at = {}, None, None
        while self._complete_at is None:
            self._after = await self._read_page(self._after, 0)
            if self._after is None:
                self._complete_at = monotonic()
        since, after = self._newest, await self._read_page(None, self._newest)
        while after is not None:
            after = await self._read_page(after, since)

    async def _read_page(self, after: str | None, since: int) -> str | None:
        """List up to 100 customers that were created since then. Returns the last of them, None after the last page."""
        params: Any = {"limit": _PAGE, "created": {"gte": since}, **({"starting_after": after} if after else {})}
        page = await self._customers.list_async(params)
        for customer in map(as_dict, page.data):
            self._newest = max(self._newest, customer["created"])
            if name := metadata_of(customer).get(self._key):
                self._ids.setdefault(name, {})[customer["id"]] = customer["created"]
        return page.data[-1].id if page.has_more else None
