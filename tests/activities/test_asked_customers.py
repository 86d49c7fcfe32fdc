"""What customers have in Stripe is answered without anything about a person, and cheaply for many."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.testing import ActivityEnvironment

from activities.stripe.customer_data.asking import StripeCustomerChecks
from activities.stripe.customer_data.finding import CustomerFinder
from contracts.messages.customers import AskCustomers, CustomerSeen, CustomersSeen, CustomerToAsk
from devstack.servers.emulator import EmulatorServer

MAIL = "billing@example.com"


@pytest.fixture
def checks(stripe_client: StripeClient) -> StripeCustomerChecks:
    return StripeCustomerChecks(stripe_client, CustomerFinder(stripe_client))


async def asked(
    env: ActivityEnvironment, checks: StripeCustomerChecks, *accounts: tuple[str, str | None], location: bool = False
) -> list[CustomerSeen]:
    customers = [CustomerToAsk(attribution_id=name, stripe_customer_id=customer) for name, customer in accounts]
    seen: CustomersSeen = await env.run(checks.ask, AskCustomers(customers=customers, location=location))
    return seen.customers


async def test_each_is_said_to_have_what_it_has(
    env: ActivityEnvironment, checks: StripeCustomerChecks, stripe_client: StripeClient
) -> None:
    customers = stripe_client.v1.customers
    full: Any = await customers.create_async({"email": MAIL, "address": {"country": "DE"}})
    vague: Any = await customers.create_async({"address": {"country": "US"}})
    gone: Any = await customers.create_async({"email": MAIL, "address": {"country": "DE"}})
    await customers.delete_async(gone.id)
    accounts = (("full", full.id), ("vague", vague.id), ("gone", gone.id), ("foreign", "cus_unknown"))
    seen = await asked(env, checks, *accounts, location=True)
    assert [(each.attribution_id, each.email, each.location) for each in seen] == [
        ("full", True, True),
        ("vague", False, False),
        ("gone", False, False),
        ("foreign", False, False),
    ]
    assert MAIL not in str(seen)
    assert [each.location for each in await asked(env, checks, ("full", full.id))] == [None]


async def test_several_accounts_without_a_customer_cost_one_list(
    env: ActivityEnvironment, checks: StripeCustomerChecks, stripe_client: StripeClient, stripe_emulator: EmulatorServer
) -> None:
    name = f"listed-{secrets.token_hex(4)}"
    made = await stripe_client.v1.customers.create_async({"email": MAIL, "metadata": {"attribution_id": name}})
    before = len(stripe_emulator.request_log.read_text().splitlines())
    seen = await asked(env, checks, *((f"none-{number}", None) for number in range(19)), (name, None))
    assert [each.stripe_customer_id for each in seen] == [None] * 19 + [made.id]
    assert seen[-1].email
    sent = stripe_emulator.request_log.read_text().splitlines()[before:]
    assert len(sent) <= 5, sent
