"""`perdure stripe register-webhook`, against the Stripe emulator."""

from __future__ import annotations

import asyncio

import pytest
import stripe

from activities.stripe.client import close_stripe_client, make_stripe_client
from billing.errors import InputError
from devstack.servers.emulator import EmulatorServer
from reconciliation.event_types import ENABLED_EVENTS
from starter.cli.stripe.commands import check_url
from tests.cli.conftest import Perdure

COMMAND = ("stripe", "register-webhook", "--url")
URL = "https://billing.example.com/stripe/webhook"


async def registered(emulator: EmulatorServer) -> list[str]:
    client = make_stripe_client(emulator.api_key, emulator.url)
    try:
        return [found.id for found in (await client.v1.webhook_endpoints.list_async()).data if found.url == URL]
    finally:
        await close_stripe_client(client)


async def test_the_webhook_is_registered_once_and_its_secret_shown_once(
    perdure: Perdure, stripe_emulator: EmulatorServer
) -> None:
    perdure.settings |= {"STRIPE_API_KEY": stripe_emulator.api_key, "STRIPE_API_BASE": stripe_emulator.url}
    made = (await perdure(*COMMAND, URL, "--json")).document
    assert made["secret"].startswith("whsec_")
    assert made["enabled_events"] == ENABLED_EVENTS
    assert made["api_version"] == stripe.api_version
    assert await registered(stripe_emulator) == [made["id"]]

    again = await perdure(*COMMAND, URL)
    assert again.error.startswith(f"Stripe already has an endpoint for {URL}, {made['id']},")
    assert await registered(stripe_emulator) == [made["id"]]

    replaced = await perdure(*COMMAND, URL, "--replace")
    assert replaced.status == 0, replaced.err
    assert f"Replaces {made['id']}." in replaced.out
    [secret] = [line for line in replaced.out.splitlines() if line.startswith("STRIPE_WEBHOOK_SECRET=whsec_")]
    assert made["secret"] not in secret
    assert "STRIPE_MODE=test" in replaced.out.splitlines()
    [endpoint] = await registered(stripe_emulator)
    assert endpoint != made["id"]


async def test_what_cannot_be_registered_is_refused_in_a_line(
    perdure: Perdure, stripe_emulator: EmulatorServer
) -> None:
    perdure.settings["STRIPE_API_BASE"] = stripe_emulator.url
    no_key, bad_key, plain, unreachable = await asyncio.gather(
        perdure(*COMMAND, URL),
        perdure(*COMMAND, URL, STRIPE_API_KEY="nonsense"),
        perdure(*COMMAND, "http://billing.example.com/", STRIPE_API_KEY="sk_test_x", STRIPE_API_BASE=""),
        perdure(*COMMAND, URL, STRIPE_API_KEY="sk_test_x", STRIPE_API_BASE="http://127.0.0.1:1"),
    )
    assert no_key.error.startswith("STRIPE_API_KEY is not set")
    assert bad_key.error.startswith("Stripe refuses STRIPE_API_KEY: ")
    assert plain.error.endswith("Stripe delivers events only over https")
    assert unreachable.error.startswith("Stripe")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("billing.example.com/webhook", "is not a URL"),
        ("ftp://billing.example.com", "is not a URL"),
        ("https:///webhook", "is not a URL"),
        ("https://billing.example.com:99999/", "Port out of range"),
        ("https://user:secret@billing.example.com/", "leave out user"),
        ("http://10.0.0.1/", "only over https"),
        ("http://localhost.example.com/", "only over https"),
    ],
)
def test_which_urls_are_refused(url: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        check_url(url, emulator=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8474/x", "http://[::1]:8474/", "http://localhost/", URL])
def test_which_urls_are_taken(url: str) -> None:
    check_url(url, emulator=False)
