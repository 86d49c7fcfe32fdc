"""The catch-up hears of a refund that changes later, whatever API version the account has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.testing import ActivityEnvironment

from activities.stripe.events import StripeEventActivities
from contracts.messages.events import EventCursor, ListStripeEvents, StripeEventsPage
from stripe_emulator.config import API_VERSION
from tests.activities.conftest import Admin


@pytest.fixture(params=["2020-08-27", "2024-09-30.acacia", "2024-10-28.acacia", API_VERSION])
async def version(request: pytest.FixtureRequest, admin: Admin) -> AsyncIterator[str]:
    """The account's API version."""
    await admin("settings", {"api_version": request.param})
    yield request.param
    await admin("settings", {"api_version": API_VERSION})


async def test_a_changed_refund_is_heard_of(
    env: ActivityEnvironment, stripe_client: StripeClient, version: str
) -> None:
    v1: Any = stripe_client.v1
    customer = await v1.customers.create_async({})
    draft = await v1.invoices.create_async({"customer": customer.id, "currency": "usd"})
    lines = [{"amount": 1000, "description": "Usage"}]
    await v1.invoices.add_lines_async(draft.id, {"lines": lines})
    await v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    charge = (await v1.charges.list_async({"customer": customer.id})).data[0]
    refund = await v1.refunds.create_async({"charge": charge.id})
    reading = StripeEventActivities(stripe_client, quiet_seconds=0)

    async def after(cursor: EventCursor | None) -> StripeEventsPage:
        page: StripeEventsPage = await env.run(reading.list_events, ListStripeEvents(cursor=cursor))
        return page

    page = await after(None)
    while page.more:
        page = await after(page.cursor)
    await v1.refunds.update_async(refund.id, {"metadata": {"changed": "later"}})
    woken = (await after(page.cursor)).wake_ups
    assert [each.workflow_id for each in woken] == [f"refunds/{charge.id}"]
