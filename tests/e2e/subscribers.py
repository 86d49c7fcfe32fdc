"""Customers of the emulator that subscribe, cancel and return, on its clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from billing.invoice.policy import AccountPolicy, ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from storage.accounts import accounts, pauses, policies
from storage.accounts.accounts import AccountRecord
from tests.support.rest import until_rested
from tests.support.system import System, at
from tests.support.until import until

FEE = 900
"""The monthly price of a subscription, in cents."""
Window = tuple[datetime, datetime | None]


@dataclass
class Subscribers:
    """Creates subscriptions in the emulator and follows their effects."""

    system: System
    made: list[str] = field(default_factory=list)

    async def clock(self, now: str) -> None:
        """Freeze Stripe's clock at an instant: on a busy machine a second can pass between two requests."""
        await self.system.admin("clock", {"now": at(now).isoformat(), "frozen": True})

    async def customer(self, **metadata: str) -> str:
        made = await self.system.stripe.v1.customers.create_async({"metadata": metadata})
        return str(made.id)

    async def subscribe(
        self, customer: str, currency: str = "usd", *, interval: str = "month", count: int = 1, **params: Any
    ) -> str:
        price = await self.price(currency, interval, count)
        subscription = await self.system.stripe.v1.subscriptions.create_async(
            {"customer": customer, "items": [{"price_data": price}], **params}
        )
        self.made.append(subscription.id)
        return str(subscription.id)

    async def price(self, currency: str = "usd", interval: str = "month", count: int = 1) -> dict[str, Any]:
        """Return a price of an item: the fee for each `count` intervals."""
        product = await self.system.stripe.v1.products.create_async({"name": "Workspaces"})
        recurring = {"interval": interval, "interval_count": count}
        return {"currency": currency, "product": product.id, "unit_amount": FEE, "recurring": recurring}

    async def cancel(self, subscription: str) -> None:
        await self.system.stripe.v1.subscriptions.cancel_async(subscription)

    async def touch(self, subscription: str) -> None:
        """Change the subscription, so that Stripe sends an event."""
        await self.system.stripe.v1.subscriptions.update_async(subscription, {"metadata": {"touched": "yes"}})

    async def account(self, attribution_id: str) -> AccountRecord | None:
        return await accounts.get_account(self.system.db, attribution_id)

    async def windows(self, attribution_id: str) -> list[Window]:
        account = await self.account(attribution_id)
        return [(window.started, window.ended) for window in account.windows] if account else []

    async def until_windows(self, attribution_id: str, *wanted: tuple[str, str | None]) -> None:
        """Wait until the account has exactly these windows."""
        expected = [(at(started), at(ended) if ended else None) for started, ended in wanted]
        seen: list[Window] = []

        async def there() -> bool:
            seen[:] = await self.windows(attribution_id)
            return seen == expected

        try:
            await until(there)
        except AssertionError:
            raise AssertionError(f"{attribution_id} has the windows {seen}, not {expected}") from None

    def workflow(self, subscription: str) -> Any:
        return self.system.client.get_workflow_handle(workflow_ids.subscription(subscription))

    async def until_rested(self, subscription: str) -> None:
        """Wait until all events are delivered and the subscription's workflow is complete."""
        await until_rested(self.system)
        description = await self.workflow(subscription).describe()
        assert description.status == WorkflowExecutionStatus.COMPLETED

    async def until_says(self, subscription: str, *words: str) -> str:
        """Wait until the running workflow's details contain these words, and return the details."""

        async def says() -> str | None:
            try:
                details = str(await self.workflow(subscription).query("__temporal_workflow_metadata"))
            except RPCError:  # its event has not arrived yet
                return None
            return details if all(word in details for word in words) else None

        found = await until(says)
        assert (await self.workflow(subscription).describe()).status == WorkflowExecutionStatus.RUNNING
        return found


@asynccontextmanager
async def subscribing(system: System) -> AsyncIterator[Subscribers]:
    """Yield subscribers and remove their subscriptions afterwards: they would renew under the next test's clock."""
    found = Subscribers(system)
    try:
        yield found
    finally:
        await system.admin("webhook_faults", method="DELETE")
        await system.admin("webhook_faults", {"match": {"type": ""}, "action": "drop", "times": None})
        for subscription in found.made:
            if (await system.stripe.v1.subscriptions.retrieve_async(subscription)).status != "canceled":
                await found.cancel(subscription)
        await system.admin("webhook_faults", method="DELETE")
        await system.admin("clock", {"frozen": False})


async def subscribed(
    system: System,
    they: Subscribers,
    team: str,
    *,
    since: str = "2022-05-10",
    interval: str = "month",
    trial_until: str | None = None,
    **policy: Any,
) -> str:
    """Create a paying subscriber with a day of usage in the first paid cycle, on May 20. Returns the subscription."""
    await they.clock(since)
    customer = await they.customer(attribution_id=team)
    card = {"default_payment_method": "pm_card_visa"}
    await system.stripe.v1.customers.update_async(customer, {"invoice_settings": card})
    trial: dict[str, Any] = {"trial_end": int(at(trial_until).timestamp())} if trial_until else {}
    subscription = await they.subscribe(customer, interval=interval, **trial)
    await they.until_windows(team, *([(since, trial_until)] if trial_until else []), (trial_until or since, None))
    await policies.write_policy(system.db, team, AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION, **policy))
    await system.add_instance(f"{team}-1", team, "2022-05-20", "2022-05-21")
    return subscription


async def only(system: System, *states: InvoiceState) -> InvoiceRecord:
    async def there() -> InvoiceRecord | None:
        found = await system.invoices()
        return found[0] if len(found) == 1 and found[0].state in states else None

    return await until(there)


async def pause(system: System, team: str, subscription: str, behavior: str = "keep_as_draft", **more: Any) -> None:
    """Pause collection, and wait until Perdure knows."""
    paused = {"pause_collection": {"behavior": behavior, **more}}
    await system.stripe.v1.subscriptions.update_async(subscription, paused)

    async def known() -> bool:
        return await pauses.paused_subscription(system.db, team) == subscription

    await until(known)
