"""Stripe's side of a campaign: customers and subscriptions before the storm, and Stripe's objects after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from campaigns.chaos.histories import HOUR, SECOND
from campaigns.chaos.stand.stand import API_KEY, Stand
from campaigns.chaos.stripe.subscriptions import VERSION
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
            page = await self.call("GET", f"{path}{'&' if '?' in path else '?'}limit=100{after}")
            found += page["data"]
            if not page["has_more"]:
                return found

    async def clock(self, at: int) -> None:
        """Freeze Stripe's clock at an instant: on a busy machine seconds would pass between two requests."""
        await self.stand.admin("clock", {"now": iso(at), "frozen": True})

    async def prepare(self, world: ChaosWorld, settled: Callable[[], Awaitable[None]]) -> None:
        """Create the existing customers, then create and cancel subscriptions in clock order up to the storm.

        `settled` returns once the product has done what the events so far ask for. At the end of a cycle nothing else
        happens until the draft has its usage, and the invoices of one currency are made before the next one begins.
        """
        if world.cycles is not None:
            settings = {"subscription_invoices": True, "api_version": world.cycles.version}
            await self.stand.admin("settings", settings)
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
            if what == CYCLE or account.subscriptions[number].currency != account.currency:
                await settled()
            await self.clock(at)
            match what:
                case "1 cancel":
                    await self.cancel(account.attribution_id, number)
                case "2 subscribe":
                    await self._subscribe(account, number, product)
                case "3 pause" | "3 free" | "3 resume":
                    path = f"/v1/subscriptions/{self._id(account, number)}"
                    await self.call("POST", path, _PAUSES[what])
                    await settled()
                case _:
                    await settled()
        await self.clock(world.storm_begins)

    async def _subscribe(self, account: ChaosAccount, number: int, product: str) -> None:
        subscription = account.subscriptions[number]
        form = {
            "customer": self.customers[account.attribution_id],
            "items[0][price_data][currency]": subscription.currency,
            "items[0][price_data][product]": product,
            "items[0][price_data][unit_amount]": "900",
            "items[0][price_data][recurring][interval]": subscription.interval,
        }
        if subscription.trial is not None:
            form["trial_end"] = str(subscription.trial // SECOND)
        made = await self.call("POST", "/v1/subscriptions", form)
        self.subscriptions[account.attribution_id, number] = made["id"]

    def _id(self, account: ChaosAccount, number: int) -> str:
        return self.subscriptions[account.attribution_id, number]

    async def hold(self, attribution_id: str, number: int) -> None:
        """Hold the subscription's newest invoice if it is a draft, as a person does in the dashboard."""
        subscription = self.subscriptions[attribution_id, number]
        listed = await self._insist("GET", f"/v1/invoices?subscription={subscription}&limit=1")
        if listed["data"] and listed["data"][0]["status"] == "draft":
            await self._insist("POST", f"/v1/invoices/{listed['data'][0]['id']}", {"auto_advance": "false"})

    async def release(self, world: ChaosWorld) -> list[str]:
        """Resume collection, and let all drafts go on that are held. Returns what was charged in spite of a pause."""
        failures = []
        for account in world.accounts:
            for number, each in enumerate(account.subscriptions):
                if not (each.held or each.is_short):
                    continue
                id = self._id(account, number)
                made = await self.list_all(f"/v1/invoices?customer={self.customers[account.attribution_id]}")
                if each.held:
                    since = [invoice for invoice in made if invoice["created"] >= each.held // SECOND]
                    failures += [f"{invoice['id']} of {account.attribution_id} is {invoice['status']} in a pause"
                                 for invoice in since if invoice["status"] != "draft"]  # fmt: skip
                    await self.call("POST", f"/v1/subscriptions/{id}", {"pause_collection": ""})
                for invoice in made:
                    held = invoice["status"] == "draft" and not invoice["auto_advance"]
                    if held and (invoice["parent"] or {}).get("subscription_details"):
                        await self.call("POST", f"/v1/invoices/{invoice['id']}", {"auto_advance": "true"})
        return failures

    async def collect_again(self) -> None:
        """Let Stripe charge again what it has stopped charging, as the audit asks a person to do.

        It stops at all open invoices of a customer who cancels a subscription.
        """
        for customer in self.customers.values():
            for invoice in await self.list_all(f"/v1/invoices?customer={customer}&status=open"):
                if not invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
                    await self.call("POST", f"/v1/invoices/{invoice['id']}", {"auto_advance": "true"})

    async def _insist(self, method: str, path: str, form: dict[str, str] | None = None) -> Any:
        """Repeat a request that an ordered fault can refuse or lose.

        Raises:
            RuntimeError: it is refused every time.
        """
        for _ in range(50):
            try:
                return await self.call(method, path, form)
            except (RuntimeError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                last = error
                await asyncio.sleep(0.1)
        raise RuntimeError(f"{method} {path}: {last}")

    async def cancel(self, attribution_id: str, number: int) -> None:
        """Cancel a subscription at the clock's instant. Retries, because an ordered fault can refuse or lose it."""
        path = f"/v1/subscriptions/{self.subscriptions[attribution_id, number]}"
        while (await self._insist("GET", path))["status"] != "canceled":
            with contextlib.suppress(RuntimeError, aiohttp.ClientError, TimeoutError, ValueError):
                await self.call("DELETE", path)


CYCLE = "4 cycle"
_PAUSES = {
    "3 pause": {"pause_collection[behavior]": "keep_as_draft"},
    "3 free": {"pause_collection[behavior]": "void"},
    "3 resume": {"pause_collection": ""},
}


def _events(world: ChaosWorld) -> list[tuple[int, str, ChaosAccount, int]]:
    """Return what precedes the storm. At the same instant, the old subscription ends before the new one starts."""
    found = []
    cycles: dict[int, tuple[ChaosAccount, int]] = {}
    for account in world.accounts:
        for number, each in enumerate(account.subscriptions):
            found.append((each.start, "2 subscribe", account, number))
            if each.end is not None and not each.storm:
                found.append((each.end, "1 cancel", account, number))
            if each.held is not None:
                found.append((each.held, "3 pause", account, number))
            if each.free is not None:
                found += [(each.free[0], "3 free", account, number), (each.free[1], "3 resume", account, number)]
            cycles.update(dict.fromkeys(each.cycle_ends(world.storm_begins), (account, number)))
    return found + [(at, CYCLE, *whose) for at, whose in cycles.items()]


@asynccontextmanager
async def stripe_side(stand: Stand) -> AsyncIterator[StripeSide]:
    """Yield a session with the emulator."""
    headers = {"Authorization": f"Bearer {API_KEY}", "Stripe-Version": VERSION}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield StripeSide(stand, session)


def storm_instant(world: ChaosWorld, attribution_id: str, number: int) -> int:
    """Return the planned instant of a cancellation, on Stripe's clock."""
    account = next(each for each in world.accounts if each.attribution_id == attribution_id)
    end = account.subscriptions[number].end
    assert end is not None
    assert end % SECOND == 0
    return end
