"""Customers are found by a list where Stripe offers no search, or forbids it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.testing import ActivityEnvironment

from activities.stripe.customers import StripeCustomerActivities
from contracts.messages.invoices import CustomerFound, CustomerOrder
from tests.activities.conftest import Admin


@pytest.fixture(params=["search_available", "search_permitted"])
async def unsearchable(request: pytest.FixtureRequest, admin: Admin) -> AsyncIterator[None]:
    """Search is refused as to merchants in India, or as to a restricted key without the right."""
    await admin("settings", {request.param: False})
    yield
    await admin("settings", {request.param: True})


@pytest.mark.usefixtures("unsearchable")
async def test_customers_are_listed_where_they_cannot_be_searched(
    env: ActivityEnvironment, stripe_client: StripeClient
) -> None:
    ours = StripeCustomerActivities(stripe_client)
    teams = [f"team:listed-{secrets.token_hex(4)}" for _ in range(3)]
    known = await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": teams[0]}})
    assert await _ensure(env, ours, teams[0]) == known.id
    # Made by somebody else since the list was read.
    later = await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": teams[1]}})
    assert await _ensure(env, ours, teams[1]) == later.id
    made = await _ensure(env, ours, teams[2])
    assert await _ensure(env, StripeCustomerActivities(stripe_client), teams[2]) == made
    assert [await _ids(stripe_client, team) for team in teams] == [[known.id], [later.id], [made]]


@pytest.mark.usefixtures("unsearchable")
async def test_a_listed_customer_that_was_deleted_or_renamed_is_passed_over(
    env: ActivityEnvironment, stripe_client: StripeClient
) -> None:
    ours = StripeCustomerActivities(stripe_client)
    team = f"team:gone-{secrets.token_hex(4)}"
    made = [await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": team}}) for _ in range(3)]
    first = await _ensure(env, ours, team)
    others = [customer.id for customer in made if customer.id != first]
    await stripe_client.v1.customers.delete_async(first)
    assert await _ensure(env, ours, team) == min(others)
    await stripe_client.v1.customers.update_async(min(others), {"metadata": {"attribution_id": "team:other"}})
    assert await _ensure(env, ours, team) == max(others)


async def _ensure(env: ActivityEnvironment, ours: StripeCustomerActivities, team: str) -> str:
    found: CustomerFound = await env.run(ours.ensure_customer, CustomerOrder(attribution_id=team))
    return found.stripe_customer_id


async def _ids(client: StripeClient, team: str) -> list[str]:
    page: Any = await client.v1.customers.list_async({"limit": 100})
    return [c.id for c in page.data if c.metadata and c.metadata.to_dict().get("attribution_id") == team]
