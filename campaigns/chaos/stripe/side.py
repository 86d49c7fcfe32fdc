"""Stripe's side of a campaign: customers and subscriptions before the storm, and Stripe's objects after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from campaigns.chaos.histories import HOUR, SECOND
from campaigns.chaos.stand.stand import API_KEY, Stand
from campaigns.chaos.world import ChaosAccount, ChaosWorld, iso

_AT_ONCE = 10


@dataclass
class StripeSide:
    """Talks to the emulator like a person in Stripe's dashboard, without the product's client."""

    stand: Stand
    session: aiohttp.ClientSession
    customers: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[tuple[str, int], str] = field(default_factory=dict)

    async def call(self, method: str, path: str, form: dict[str, str] | None = None) -> Any:
        """Make one request, for which no fault is ordered.

        Raises:
            RuntimeError: the request is refused.
        """
        async with self.session.request(method, f"{self.stand.emulator.url}{path}", data=form) as response:
            body = await response.json()
            if response.status != 200:
                raise RuntimeError(f"{method} {path}: {body}")
            return body

    async def list_all(self, path: str) -> list[dict[str, Any]]:
        """Return every object of a list, newest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = f"&starting_after={found[-1]['id']}" if found else ""
            page = await self.call("GET", f"{path}?limit=100{after}")
            found += page["data"]
            if not page["has_more"]:
                return found

    async def clock(self, at: int) -> None:
        """Freeze Stripe's clock at an instant: on a busy machine seconds would pass between two requests."""
        await self.stand.admin("clock", {"now": iso(at), "frozen": True})

    async def prepare(self, world: ChaosWorld) -> None:
        """Create the existing customers, then create and cancel subscriptions in clock order up to the month's end."""
        await self.clock(world.start - 21 * 24 * HOUR)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def customer(account: ChaosAccount) -> None:
            async with limit:
                form = {"metadata[attribution_id]": account.attribution_id}
                if account.pays:
                    form["invoice_settings[default_payment_method]"] = "pm_card_visa"
                self.customers[account.attribution_id] = (await self.call("POST", "/v1/customers", form))["id"]

        first = [account for account in world.accounts if account.customer_first or account.subscriptions]
        await asyncio.gather(*(customer(account) for account in first))
        product = (await self.call("POST", "/v1/products", {"name": "Workspaces"}))["id"]
        for at, what, account, number in sorted(_events(world), key=lambda event: event[:2]):
            await self.clock(at)
            if what == "2 subscribe":
                await self._subscribe(account, number, product)
            else:
                await self.cancel(account.attribution_id, number)
        await self.clock(world.end + HOUR)

    async def _subscribe(self, account: ChaosAccount, number: int, product: str) -> None:
        form = {
            "customer": self.customers[account.attribution_id],
            "items[0][price_data][currency]": account.currency,
            "items[0][price_data][product]": product,
            "items[0][price_data][unit_amount]": "900",
            "items[0][price_data][recurring][interval]": "year",
        }
        made = await self.call("POST", "/v1/subscriptions", form)
        self.subscriptions[account.attribution_id, number] = made["id"]

    async def cancel(self, attribution_id: str, number: int) -> None:
        """Cancel a subscription at the clock's instant. Retries, because an ordered fault can refuse or lose it."""
        path = f"/v1/subscriptions/{self.subscriptions[attribution_id, number]}"
        for _ in range(50):
            try:
                found = await self.call("GET", path)
                if found["status"] == "canceled":
                    return
                await self.call("DELETE", path)
            except (RuntimeError, aiohttp.ClientError, TimeoutError, ValueError):
                await asyncio.sleep(0.1)
        raise RuntimeError(f"{path} could not be canceled")


def _events(world: ChaosWorld) -> list[tuple[int, str, ChaosAccount, int]]:
    """Return subscriptions and calm cancellations. At the same instant, the old one ends before the new one starts."""
    found = []
    for account in world.accounts:
        for number, each in enumerate(account.subscriptions):
            found.append((each.start, "2 subscribe", account, number))
            if each.end is not None and not each.storm:
                found.append((each.end, "1 cancel", account, number))
    return found


@asynccontextmanager
async def stripe_side(stand: Stand) -> AsyncIterator[StripeSide]:
    """Yield a session with the emulator."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield StripeSide(stand, session)


def storm_instant(world: ChaosWorld, attribution_id: str, number: int) -> int:
    """Return the planned instant of a cancellation, on Stripe's clock."""
    account = next(each for each in world.accounts if each.attribution_id == attribution_id)
    end = account.subscriptions[number].end
    assert end is not None
    assert end % SECOND == 0
    return end
