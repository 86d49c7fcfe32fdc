"""Collection of a subscription is paused in Stripe: nothing is finalized before it is resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from billing.invoice.policy import AccountPolicy, BlockedKind, ChargeOn, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from storage.accounts import policies
from tests.e2e.subscribers import FEE, Subscribers, only, pause, subscribed, subscribing
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def resume(system: System, subscription: str) -> None:
    await system.stripe.v1.subscriptions.update_async(subscription, {"pause_collection": ""})


async def waits(system: System, subtotal: int) -> InvoiceRecord:
    """Wait until the invoice is blocked by the pause, with its usage on a draft in Stripe, and everything rests."""
    await only(system, InvoiceState.BLOCKED)
    await until_rested(system)
    invoice = await only(system, InvoiceState.BLOCKED)
    assert invoice.blocked_kind is BlockedKind.COLLECTION_PAUSED
    assert (invoice.blocked_reason or "").startswith("waits for collection of sub_")
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (stripe.status, stripe.auto_advance, stripe.subtotal) == ("draft", False, subtotal)
    return invoice


@pytest.mark.history("collection-paused")
@pytest.mark.waits
async def test_a_subscriptions_draft_waits_until_it_is_resumed(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:later")
    await pause(system, "team:later", subscription)
    await they.clock("2022-06-10T00:10")
    invoice = await waits(system, DAY_CENTS + FEE)
    await they.clock("2022-06-12")  # Stripe's hour is over
    await waits(system, DAY_CENTS + FEE)

    await resume(system, subscription)
    await system.until_state(invoice.key, InvoiceState.PAID)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert stripe.amount_paid == DAY_CENTS + FEE


@pytest.mark.waits
async def test_the_end_of_a_subscription_is_no_resumption(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:leaves")
    await pause(system, "team:leaves", subscription)
    await they.clock("2022-06-10T00:10")
    invoice = await waits(system, DAY_CENTS + FEE)
    await they.cancel(subscription)

    async def held() -> bool:
        return (await system.invoice(invoice.key)).blocked_kind is BlockedKind.HELD_IN_STRIPE

    await until(held)
    await until_rested(system)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (stripe.status, stripe.auto_advance) == ("draft", False)
    await system.stripe.v1.invoices.update_async(stripe.id, {"auto_advance": True})
    await system.until_state(invoice.key, InvoiceState.BILLED, InvoiceState.PAID)


@pytest.mark.parametrize("finalization", [Finalization.AT_ONCE, Finalization.GRACE])
@pytest.mark.waits
async def test_an_invoice_of_our_own_waits_as_a_draft(
    system: System, they: Subscribers, finalization: Finalization
) -> None:
    team = f"team:own-{finalization}"
    subscription = await subscribed(system, they, team)
    await policies.write_policy(system.db, team, AccountPolicy(charge_on=ChargeOn.OWN, finalization=finalization))
    await pause(system, team, subscription)
    await they.clock("2022-06-01T00:10")
    await system.start_period("2022-05")
    if finalization is Finalization.AT_ONCE:
        invoice = await waits(system, DAY_CENTS)
        await resume(system, subscription)
        await system.until_state(invoice.key, InvoiceState.BILLED, InvoiceState.PAID)
    else:
        invoice = await only(system, InvoiceState.DRAFT)
        stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
        assert stripe.auto_advance is False  # else Stripe would finalize it by itself


@pytest.mark.waits
async def test_what_was_paused_stays_held_at_the_end(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:leaves-own")
    await policies.write_policy(system.db, "team:leaves-own", AccountPolicy(charge_on=ChargeOn.OWN))
    await they.clock("2022-05-25")
    await pause(system, "team:leaves-own", subscription)
    await they.clock("2022-06-01T00:10")
    await system.start_period("2022-05")
    invoice = await waits(system, DAY_CENTS)
    await they.clock("2022-06-12")
    await they.cancel(subscription)

    async def held() -> bool:
        return (await system.invoice(invoice.key)).blocked_kind is BlockedKind.HELD_IN_STRIPE

    await until(held)
    await until_rested(system)
    found = await system.invoice(invoice.key)
    assert found.state is InvoiceState.BLOCKED
    assert "ended while collection was paused" in (found.blocked_reason or "")
    await system.stripe.v1.invoices.finalize_invoice_async(invoice.stripe_invoice_id, {"auto_advance": True})
    await system.until_state(invoice.key, InvoiceState.PAID, InvoiceState.BILLED)


@pytest.mark.waits
async def test_a_resumption_that_nobody_heard_of_is_found_when_the_invoice_is_refreshed(
    system: System, they: Subscribers
) -> None:
    subscription = await subscribed(system, they, "team:silent")
    await pause(system, "team:silent", subscription)
    await they.clock("2022-06-10T00:10")
    invoice = await waits(system, DAY_CENTS + FEE)
    await unheard(system, "customer.subscription")
    await resume(system, subscription)
    await system.stripe.v1.invoices.update_async(invoice.stripe_invoice_id, {"auto_advance": True})
    await system.until_state(invoice.key, InvoiceState.PAID)


@pytest.mark.waits
async def test_a_pause_that_nobody_heard_of_keeps_the_draft_as_well(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:unheard")
    await unheard(system, "customer.subscription")
    behavior: Any = {"pause_collection": {"behavior": "keep_as_draft"}}
    await system.stripe.v1.subscriptions.update_async(subscription, behavior)
    await they.clock("2022-06-10T00:10")
    invoice = await waits(system, DAY_CENTS + FEE)
    await system.admin("webhook_faults", method="DELETE")
    await resume(system, subscription)
    await system.until_state(invoice.key, InvoiceState.PAID)


@pytest.mark.parametrize("behavior", ["void", "mark_uncollectible"])
@pytest.mark.waits
async def test_free_time_is_excluded_and_the_rest_is_billed(system: System, they: Subscribers, behavior: str) -> None:
    team = f"team:{behavior}"
    subscription = await subscribed(system, they, team)
    await system.add_instance(f"{team}-all", team, "2022-06-01", "2022-06-21")
    await they.clock("2022-06-05")
    await pause(system, team, subscription, behavior)
    await they.until_windows(team, ("2022-05-10", "2022-06-05"), ("2022-06-05", None))
    await they.clock("2022-06-10T00:10")  # Stripe's own invoice of this cycle is free
    await until_rested(system)
    assert await system.invoices() == []
    await they.clock("2022-06-15")
    await resume(system, subscription)
    await they.until_windows(team, ("2022-05-10", "2022-06-05"), ("2022-06-05", "2022-06-15"), ("2022-06-15", None))
    await they.clock("2022-07-10T00:10")
    invoice = await only(system, InvoiceState.PAID)
    assert invoice.amount == (1 + 4 + 6) * DAY_CENTS  # a day in May, four before the pause, six after it
    account = await they.account(team)
    assert account is not None
    assert [str(window.kind) for window in account.windows] == ["paid", "collection_paused", "paid"]
