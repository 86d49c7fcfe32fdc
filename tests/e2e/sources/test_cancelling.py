"""A cancellation and a subscription's draft fetch before they claim, and wait only for minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from billing.invoice.states import InvoiceState
from contracts import retries
from temporal.sources import end_source
from tests.arrivals.product import ProductDatabase, may
from tests.e2e.sources.asking import configure
from tests.e2e.subscribers import Subscribers, only, subscribed, subscribing
from tests.support.system import System

pytestmark = pytest.mark.waits


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    async with subscribing(system) as found:
        yield found


async def subscribe(they: Subscribers, team: str) -> str:
    await they.clock("2022-05-03")
    subscription = await they.subscribe(await they.customer(attribution_id=team))
    await they.until_windows(team, ("2022-05-03", None))
    return subscription


@pytest.mark.history("cancelled-fetched")
async def test_a_cancellation_bills_what_it_fetched(
    system: System, they: Subscribers, product: ProductDatabase, tmp_path: Path
) -> None:
    configure(system, tmp_path, product)
    await product.write("i-1", may(3), None, may(3), account="team:leaves")
    await system.start("sources")
    subscription = await subscribe(they, "team:leaves")
    await they.clock("2022-05-05")
    await they.cancel(subscription)
    invoice = await only(system, InvoiceState.BILLED, InvoiceState.PAID)
    assert invoice.amount == 1728  # two days, which no import had stored
    await end_source(system.client, "product")


@pytest.mark.history("cancelled-unfetched")
async def test_a_cancellation_does_not_wait_long_for_a_source(
    system: System, they: Subscribers, product: ProductDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FETCH_PATIENCE_OF_ONE", timedelta(seconds=3))
    configure(system, tmp_path, product)
    await product.connection.execute("ALTER TABLE instance RENAME TO away")
    await system.start("sources")
    subscription = await subscribe(they, "team:hurries")
    await system.add_instance("known", "team:hurries", "2022-05-03", "2022-05-04")
    await they.clock("2022-05-05")
    await they.cancel(subscription)
    assert (await only(system, InvoiceState.BILLED, InvoiceState.PAID)).amount == 864
    await they.until_rested(subscription)
    details = str(await they.workflow(subscription).query("__temporal_workflow_metadata"))
    assert "**Billed without product**" in details
    await end_source(system.client, "product")


async def test_a_subscriptions_draft_bills_what_it_fetched(
    system: System, they: Subscribers, product: ProductDatabase, tmp_path: Path
) -> None:
    await system.admin("settings", {"subscription_invoices": True})
    configure(system, tmp_path, product)
    await product.write("i-2", may(20), may(21), may(21), account="team:draft")
    await system.start("sources")
    await subscribed(system, they, "team:draft")
    await they.clock("2022-06-10T00:10")
    invoice = await only(system, InvoiceState.PAID)
    assert invoice.amount == 2 * 864  # a day that was imported, and a day that was only fetched
    await system.admin("settings", {"subscription_invoices": False})
    await end_source(system.client, "product")
