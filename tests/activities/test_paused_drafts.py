"""Drafts of a pause of collection, by Stripe's invoice, its subscription, and the pauses that Postgres knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.drafts import StripeDraftActivities
from activities.stripe.invoices import StripeInvoiceActivities
from billing.accounts.pauses import CollectionPause, PauseBehavior
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from contracts import stripe_metadata
from contracts.messages.holds import Hold
from contracts.messages.invoices import StripeInvoiceOrder, StripeInvoiceRef, StripeLine
from tests.activities.conftest import Admin

KEY = "2022-05/team:paused/period"
HOUR = timedelta(hours=1)


class Subscriber:
    """A subscription in the emulator whose first cycle ends while collection is paused, and its draft."""

    def __init__(self, client: StripeClient, admin: Admin) -> None:
        self.client, self.admin, self.env = client, admin, ActivityEnvironment()
        self.customer = self.subscription = ""

    async def at(self, now: str) -> None:
        await self.admin("clock", {"now": f"{now}+00:00", "frozen": True})

    async def subscribe(self) -> None:
        await self.at("2022-05-10T00:00:00")
        made = await self.client.v1.customers.create_async({"email": "a@example.com"})
        self.customer = made.id
        product = await self.client.v1.products.create_async({"name": "Workspaces"})
        price: Any = {"currency": "usd", "product": product.id, "unit_amount": 900, "recurring": {"interval": "month"}}
        items: Any = [{"price_data": price}]
        subscription = await self.client.v1.subscriptions.create_async(
            {"customer": self.customer, "items": items, "collection_method": "send_invoice", "days_until_due": 30}
        )
        self.subscription = subscription.id

    async def pause(self, behavior: str | None) -> None:
        pause: Any = {"pause_collection": {"behavior": behavior} if behavior else ""}
        await self.client.v1.subscriptions.update_async(self.subscription, pause)

    async def draft(self) -> str:
        page = await self.client.v1.invoices.list_async({"subscription": self.subscription, "status": "draft"})
        (found,) = page.data
        return str(found.id)

    def order(self, charge_on: ChargeOn, draft: str | None, *pauses: CollectionPause, **changes: Any) -> Any:
        end = datetime(2022, 6, 1, tzinfo=UTC)
        line = StripeLine(line_id=f"{KEY}#1", amount=100, description="usage", start=end - HOUR, end=end)
        values: dict[str, Any] = {
            "invoice_key": f"{KEY}-{self.subscription}",
            "attribution_id": "team:paused",
            "stripe_customer_id": self.customer,
            "currency": "usd",
            "amount": 100,
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "description": "Workspace usage",
            "metadata": {stripe_metadata.INVOICE: f"{KEY}-{self.subscription}", stripe_metadata.REPORT_ID: "r"},
            "lines": [line.model_copy(update={"line_id": f"{KEY}-{self.subscription}#1"})],
            "cutoff": end,
            "charge_on": charge_on,
            "stripe_invoice_id": draft,
            "pauses": list(pauses),
        }
        return StripeInvoiceOrder(**{**values, **changes})

    async def put(self, order: StripeInvoiceOrder) -> StripeInvoiceRef:
        """Fill the draft or make one; return the invoice as Postgres would name it."""
        if order.stripe_invoice_id is not None:
            made = await self.env.run(StripeDraftActivities(self.client).fill, order)
        else:
            made = await self.env.run(StripeInvoiceActivities(self.client).create, order)
        return StripeInvoiceRef(
            invoice_key=order.invoice_key,
            stripe_invoice_id=made.stripe_invoice_id,
            stripe_customer_id=self.customer,
            charge_on=order.charge_on,
            pauses=order.pauses,
            finalization=order.finalization,
        )

    async def hold(self, ref: StripeInvoiceRef) -> Hold | None:
        """Return why it is held; finalizing it agrees with that."""
        found = await self.env.run(StripeInvoiceActivities(self.client).retrieve, ref)
        if found.hold is not None:
            with pytest.raises(ApplicationError, match="waits for"):
                await self.env.run(StripeInvoiceActivities(self.client).finalize, ref)
        return found.hold

    def paused(self, since: str, ended: str | None) -> CollectionPause:
        start, end = (datetime.fromisoformat(f"{at}T00:00:00+00:00") if at else None for at in (since, ended))
        assert start is not None
        return CollectionPause(self.subscription, PauseBehavior.KEEP_AS_DRAFT, start, None, end)


@pytest.fixture
async def one(stripe_client: StripeClient, admin: Admin) -> AsyncIterator[Subscriber]:
    await admin("settings", {"subscription_invoices": True})
    made = Subscriber(stripe_client, admin)
    await made.subscribe()
    yield made
    await admin("settings", {"subscription_invoices": False})
    await admin("clock", {"frozen": False})


async def _ended(one: Subscriber, ref: StripeInvoiceRef) -> None:
    hold = await one.hold(ref)
    assert hold is not None
    assert hold.held_as is BlockedKind.HELD_IN_STRIPE
    assert "ended while collection was paused" in hold.reason


@pytest.mark.parametrize("filled", ["in the pause", "after the end"])
async def test_a_subscriptions_draft_stays_when_it_ends_paused(one: Subscriber, filled: str) -> None:
    await one.at("2022-06-05T00:00:00")
    await one.pause("keep_as_draft")
    await one.at("2022-06-10T00:10:00")
    draft = await one.draft()
    if filled == "in the pause":
        ref = await one.put(one.order(ChargeOn.SUBSCRIPTION, draft))
        assert (hold := await one.hold(ref)) is not None
        assert hold.held_as is BlockedKind.COLLECTION_PAUSED
        await one.client.v1.subscriptions.cancel_async(one.subscription)
    else:
        await one.client.v1.subscriptions.cancel_async(one.subscription)
        ref = await one.put(one.order(ChargeOn.SUBSCRIPTION, draft, one.paused("2022-06-05", "2022-06-10")))
    await _ended(one, ref)
    await one.client.v1.invoices.update_async(draft, {"auto_advance": True})
    assert await one.hold(ref) is None, "a person releases it"


@pytest.mark.parametrize("finalization", [Finalization.AT_ONCE, Finalization.GRACE])
async def test_an_own_draft_of_the_pause_stays_when_it_ends_paused(one: Subscriber, finalization: Finalization) -> None:
    await one.at("2022-06-05T00:00:00")
    await one.pause("keep_as_draft")
    grace = {"auto_advance": False, "finalization": finalization}
    order = one.order(ChargeOn.OWN, None, one.paused("2022-06-05", None), **grace)
    ref = await one.put(order)
    await one.at("2022-06-08T00:00:00")
    await one.client.v1.subscriptions.cancel_async(one.subscription)
    await _ended(one, ref)
    over = [one.paused("2022-06-05", "2022-06-08")]
    await _ended(one, ref.model_copy(update={"pauses": over}))
    if finalization is Finalization.GRACE:  # nothing more is claimed: Stripe is to finalize it again
        again = {"stripe_invoice_id": ref.stripe_invoice_id, "auto_advance": True, "pauses": over}
        await one.put(order.model_copy(update=again))
        stripe = await one.client.v1.invoices.retrieve_async(ref.stripe_invoice_id)
        assert stripe.auto_advance is False


async def test_an_own_draft_of_after_the_end_does_not_wait(one: Subscriber) -> None:
    await one.pause("keep_as_draft")
    await one.at("2022-06-08T00:00:00")
    await one.client.v1.subscriptions.cancel_async(one.subscription)
    ref = await one.put(one.order(ChargeOn.OWN, None, one.paused("2022-05-10", "2022-06-08")))
    assert await one.hold(ref) is None


async def test_one_filled_after_its_pause_goes_on(one: Subscriber) -> None:
    await one.at("2022-06-05T00:00:00")
    await one.pause("keep_as_draft")
    await one.at("2022-06-10T00:10:00")
    await one.at("2022-06-12T00:00:00")
    await one.pause(None)
    ref = await one.put(one.order(ChargeOn.SUBSCRIPTION, await one.draft(), one.paused("2022-06-05", "2022-06-12")))
    assert await one.hold(ref) is None
    stripe = await one.client.v1.invoices.retrieve_async(ref.stripe_invoice_id)
    assert stripe.metadata is not None
    assert stripe.metadata[stripe_metadata.ADVANCE] == stripe_metadata.ADVANCE_PAUSED


async def test_a_pause_that_postgres_learns_of_later_releases_the_draft_too(one: Subscriber) -> None:
    await one.at("2022-06-05T00:00:00")
    await one.pause("keep_as_draft")
    await one.at("2022-06-10T00:10:00")
    await one.pause(None)
    ref = await one.put(one.order(ChargeOn.SUBSCRIPTION, await one.draft()))
    assert (hold := await one.hold(ref)) is not None
    assert hold.held_as is BlockedKind.HELD_IN_STRIPE
    known = ref.model_copy(update={"pauses": [one.paused("2022-06-05", "2022-06-12")]})
    assert await one.hold(known) is None


async def test_what_a_person_holds_outside_the_pause_stays_held(one: Subscriber) -> None:
    await one.at("2022-06-10T00:10:00")
    draft = await one.draft()
    await one.client.v1.invoices.update_async(draft, {"auto_advance": False})
    ref = await one.put(one.order(ChargeOn.SUBSCRIPTION, draft, one.paused("2022-05-20", "2022-06-01")))
    assert (hold := await one.hold(ref)) is not None
    assert "to be released" in hold.reason
