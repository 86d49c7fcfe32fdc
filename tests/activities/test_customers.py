"""A customer is found, or created once, however far search lags and whatever Stripe loses or fails at."""

from __future__ import annotations

from typing import Any

import pytest
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.customer_data.details import StripeCustomerDetails
from activities.stripe.customer_data.finding import CustomerFinder
from activities.stripe.customers import StripeCustomerActivities
from contracts.messages.customers import SendCustomer
from contracts.messages.invoices import CustomerFound, CustomerOrder
from contracts.messages.subscriptions import ListStripeAccounts
from tests.activities.conftest import Admin

CREATE = {"method": "POST", "path": "^/v1/customers$"}


@pytest.fixture
def ours(stripe_client: StripeClient) -> StripeCustomerActivities:
    return StripeCustomerActivities(stripe_client)


async def ensure(env: ActivityEnvironment, ours: StripeCustomerActivities, team: str) -> str:
    found: CustomerFound = await env.run(ours.ensure_customer, CustomerOrder(attribution_id=team))
    return found.stripe_customer_id


async def all_of(client: StripeClient, team: str) -> list[str]:
    page: Any = await client.v1.customers.list_async({"limit": 100})
    return [c.id for c in page.data if c.metadata and c.metadata.to_dict().get("attribution_id") == team]


async def test_one_that_search_does_not_show_yet_is_not_made_again(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 3600})
    first = await ensure(env, ours, "team:lag")
    assert await ensure(env, ours, "team:lag") == first
    assert await all_of(stripe_client, "team:lag") == [first]


async def test_one_that_its_details_made_is_found_while_search_lags(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 3600})
    sending = StripeCustomerDetails(stripe_client, CustomerFinder(stripe_client))
    order = SendCustomer(attribution_id="team:sent", stripe_customer_id=None, email="sent@example.com")
    made = (await env.run(sending.send, order)).stripe_customer_id
    assert await ensure(env, ours, "team:sent") == made
    assert await all_of(stripe_client, "team:sent") == [made]


async def test_the_oldest_of_several_is_taken(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 0})
    made = []
    for _ in range(2):
        customer = await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": "team:several"}})
        made.append(customer.id)
        await admin("clock", {"advance_seconds": 5})
    assert await ensure(env, ours, "team:several") == made[0]


async def test_ids_that_differ_in_case_alone_are_two_customers(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 0})
    upper, lower = await ensure(env, ours, "org_01HX"), await ensure(env, ours, "org_01hx")
    assert upper != lower
    assert await ensure(env, ours, "org_01HX") == upper
    assert await ensure(env, ours, "org_01hx") == lower


@pytest.mark.parametrize("committed", [True, False])
async def test_a_failure_that_stripe_keeps_makes_neither_two_nor_none(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin, committed: bool
) -> None:
    team = f"team:kept-{committed}".lower()
    await admin("settings", {"search_lag_seconds": 3600})
    await admin("faults", {"match": CREATE, "action": "500", "committed": committed})
    with pytest.raises(ApplicationError) as error:
        await ensure(env, ours, team)
    assert not error.value.non_retryable

    found = await ensure(env, ours, team)
    assert await ensure(env, ours, team) == found
    assert await all_of(stripe_client, team) == [found]


async def test_more_hits_than_a_page_are_all_compared(
    env: ActivityEnvironment, ours: StripeCustomerActivities, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 0})
    for _ in range(101):
        await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": "TEAM:MANY"}})
    mine = await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": "team:many"}})
    assert await ensure(env, ours, "team:many") == mine.id


async def test_another_metadata_key_is_read_and_written(
    env: ActivityEnvironment, stripe_client: StripeClient, admin: Admin
) -> None:
    await admin("settings", {"search_lag_seconds": 0})
    ours = StripeCustomerActivities(stripe_client, CustomerFinder(stripe_client, "attributionId"))
    named = await stripe_client.v1.customers.create_async({"metadata": {"attributionId": "team:seed"}})
    await stripe_client.v1.customers.create_async({"metadata": {"attribution_id": "team:seed"}})
    assert await ensure(env, ours, "team:seed") == named.id
    made = await stripe_client.v1.customers.retrieve_async(await ensure(env, ours, "team:new-here"))
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"attributionId": "team:new-here"}
    listed = await env.run(ours.list_accounts, ListStripeAccounts(cursor=None))
    assert {"team:seed", "team:new-here"} <= {account.attribution_id for account in listed.accounts}
