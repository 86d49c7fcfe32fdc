"""Subscriptions' drafts are billed in full, in whatever API version Stripe renders their events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from billing.invoice.states import InvoiceState
from stripe_emulator.config import API_VERSION
from tests.e2e.catching_up import catch_up
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed, subscribing
from tests.support.rest import unheard
from tests.support.system import System
from tests.support.usage import DAY_CENTS

VERSIONS = ["2020-08-27", "2022-11-15", "2024-06-20", API_VERSION]


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False, "api_version": API_VERSION})


async def until_billed(system: System) -> None:
    invoice = await only(system, InvoiceState.PAID)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (invoice.amount, stripe.subtotal, stripe.amount_paid) == (DAY_CENTS, DAY_CENTS + FEE, DAY_CENTS + FEE)


@pytest.mark.parametrize("version", VERSIONS)
async def test_by_webhook(system: System, they: Subscribers, version: str) -> None:
    await system.admin("settings", {"api_version": version})
    await subscribed(system, they, f"team:webhook-{version}")
    await they.clock("2022-06-10T00:10")
    await until_billed(system)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.waits
async def test_by_the_catch_up(system: System, they: Subscribers, version: str) -> None:
    await system.admin("settings", {"api_version": version})
    await subscribed(system, they, f"team:catch-up-{version}")
    await catch_up(system)
    await unheard(system)
    await they.clock("2022-06-10T00:10")
    assert (await catch_up(system)).signalled > 0
    await until_billed(system)
