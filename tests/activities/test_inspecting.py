"""The inspection of the key: each right, the endpoints and the account, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import stripe
from pydantic import SecretStr
from stripe import StripeClient
from temporalio.testing import ActivityEnvironment

from activities.stripe.account.inspecting import RIGHTS, StripeInspection
from activities.stripe.client import close_stripe_client, make_stripe_client
from contracts.stripe_account import InspectStripe, StripeInspected
from devstack.servers.emulator import EmulatorServer
from settings import Settings
from tests.activities.conftest import Admin

URL = "https://billing.example.com/stripe/webhook"


async def _set(emulator: EmulatorServer, **settings: Any) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{emulator.url}/_emulator/settings", json=settings) as answer,
    ):
        assert answer.status == 200, await answer.text()


@pytest.fixture
async def emulator(stripe_emulator: EmulatorServer) -> AsyncIterator[EmulatorServer]:
    yield stripe_emulator
    await _set(stripe_emulator, denied=[], tax_settings_active=True)


async def _inspect(env: ActivityEnvironment, client: StripeClient, emulator: EmulatorServer) -> StripeInspected:
    settings = Settings(stripe_api_key=SecretStr(emulator.api_key), stripe_api_base=emulator.url, stripe_mode="test")
    found = await env.run(StripeInspection(client, settings).inspect, InspectStripe())
    assert isinstance(found, StripeInspected)
    return found


async def test_a_sound_key_has_all_rights_and_nothing_is_changed(
    env: ActivityEnvironment, stripe_client: StripeClient, emulator: EmulatorServer
) -> None:
    await stripe_client.v1.webhook_endpoints.create_async(
        {"url": URL, "enabled_events": ["invoice.paid"], "api_version": stripe.api_version}  # type: ignore[typeddict-item]
    )
    customers = len((await stripe_client.v1.customers.list_async({"limit": 100})).data)
    before = len(emulator.request_log.read_text().splitlines())
    found = await _inspect(env, stripe_client, emulator)
    assert (found.refused, found.key_mode, found.restricted, found.emulated) == (None, "test", False, True)
    assert [(each.refused, each.unknown) for each in found.rights] == [(None, None)] * len(RIGHTS)
    assert found.account_id is not None
    assert found.endpoints is not None
    assert URL in [each.url for each in found.endpoints]
    assert (found.tax_status, found.stripe_ahead_seconds, found.undelivered) == ("active", 0.0, 0)
    assert found.settings["STRIPE_MODE"] == "test"
    assert (found.invoices_per_second, found.outdated_rate) == (25.0, None)
    sent = [json.loads(line) for line in emulator.request_log.read_text().splitlines()[before:]]
    assert [one["status"] for one in sent if one["method"] == "POST"] == [404, 404, 404]
    assert len((await stripe_client.v1.customers.list_async({"limit": 100})).data) == customers


async def test_each_right_that_the_key_lacks_is_named(
    env: ActivityEnvironment, stripe_client: StripeClient, emulator: EmulatorServer
) -> None:
    await _set(
        emulator, denied=["invoice_write", "event_read", "webhook_read", "connected_account_read", "tax_settings_read"]
    )
    found = await _inspect(env, stripe_client, emulator)
    refused = {(each.name, each.access): each.refused for each in found.rights if each.refused}
    assert set(refused) == {("Invoices", "write"), ("Events", "read")}
    assert "rak_invoice_write" in str(refused["Invoices", "write"])
    assert (found.endpoints, found.account_id, found.tax_status, found.undelivered) == (None, None, None, None)


async def test_tax_settings_that_lack_something(
    env: ActivityEnvironment, stripe_client: StripeClient, emulator: EmulatorServer
) -> None:
    await _set(emulator, tax_settings_active=False)
    found = await _inspect(env, stripe_client, emulator)
    assert (found.tax_status, found.tax_missing) == ("pending", ["head_office"])


async def test_subscriptions_on_which_stripe_turned_automatic_tax_off(
    env: ActivityEnvironment, stripe_client: StripeClient, emulator: EmulatorServer, admin: Admin
) -> None:
    v1: Any = stripe_client.v1
    await admin("settings", {"subscription_invoices": True})
    await admin("clock", {"now": "2022-05-01T00:00:00Z", "frozen": True})
    data = {"currency": "usd", "product": (await v1.products.create_async({"name": "Plan"})).id, "unit_amount": 900}
    items = [{"price_data": {**data, "recurring": {"interval": "month"}}}]
    made = []
    for _ in range(2):
        owner = await v1.customers.create_async({"address": {"country": "DE"}, "email": "a@example.com"})
        terms = {"customer": owner.id, "items": items, "collection_method": "send_invoice", "days_until_due": 30}
        made.append(await v1.subscriptions.create_async({**terms, "automatic_tax": {"enabled": True}}))
        await v1.subscriptions.create_async(terms)  # never taxed, by choice
    await v1.customers.update_async(made[0].customer, {"address": ""})
    assert (await _inspect(env, stripe_client, emulator)).untaxed == []
    await admin("clock", {"now": "2022-06-01T02:00:00Z", "frozen": True})
    assert (await _inspect(env, stripe_client, emulator)).untaxed == [made[0].id]


async def test_a_key_that_is_refused_and_a_stripe_that_is_away(
    env: ActivityEnvironment, emulator: EmulatorServer
) -> None:
    for key, url, reason in (
        ("nonsense", emulator.url, "Invalid API Key provided"),
        (emulator.api_key, "http://127.0.0.1:1", "Stripe"),
    ):
        client = make_stripe_client(key, url)
        try:
            found = await _inspect(env, client, emulator)
        finally:
            await close_stripe_client(client)
        assert reason in str(found.refused)
        assert found.rights == []
