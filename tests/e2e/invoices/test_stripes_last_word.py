"""Stripe has the last word: events in another order, tax, a balance, a deleted customer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.invoice.policy import BlockedKind
from billing.invoice.states import InvoiceState
from contracts import retries
from tests.e2e.catching_up import catch_up
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day


async def customer(system: System, team: str, **params: object) -> str:
    made = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": team}, **params})
    return str(made.id)


@pytest.mark.waits
async def test_paid_before_finalized_moves_nothing_back(system: System) -> None:
    card = {"default_payment_method": "pm_card_visa"}
    payer = await customer(system, "team:order", invoice_settings=card)
    await system.admin(
        "webhook_faults",
        {"match": {"type": r"^invoice\.finalized$"}, "action": "delay", "seconds": 3, "times": None},
    )
    key = await one_day(system, "team:order", customer=payer)
    await system.run_period(MAY)
    paid = await system.until_state(key, InvoiceState.PAID)
    await until_rested(system)
    after = await system.invoice(key)
    assert (after.state, after.finalized_at, after.paid_at) == (paid.state, paid.finalized_at, paid.paid_at)
    assert paid.finalized_at is not None
    assert paid.paid_at is not None
    assert paid.finalized_at <= paid.paid_at


@pytest.mark.waits
async def test_voided_before_finalized_releases_once_and_for_good(system: System) -> None:
    await system.admin(
        "webhook_faults",
        {"match": {"type": r"^invoice\.finalized$"}, "action": "delay", "seconds": 3, "times": None},
    )
    key = await one_day(system, "team:early-void")
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT, InvoiceState.FINALIZED, InvoiceState.BILLED)

    async def finalized() -> bool:
        found = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
        return bool(found.status == "open")

    await until(finalized)
    await system.stripe.v1.invoices.void_invoice_async(draft.stripe_invoice_id)
    await system.until_state(key, InvoiceState.VOIDED)
    await until_rested(system)
    assert (await system.invoice(key)).state is InvoiceState.VOIDED
    await system.run_period(MAY)
    assert (await system.invoice(f"{key}/2")).amount == DAY_CENTS


async def test_finalization_does_not_give_up_after_three_attempts(system: System) -> None:
    fault = {"match": {"method": "POST", "path": "/finalize$"}, "action": "503", "stored": False, "times": 4}
    await system.admin("faults", fault)
    key = await one_day(system, "team:patient")
    await system.run_period(MAY)
    assert (await system.invoice(key)).state is InvoiceState.BILLED


async def test_a_customer_that_was_deleted_blocks_its_invoice_alone(system: System) -> None:
    gone = await customer(system, "team:gone")
    key = await one_day(system, "team:gone", customer=gone)
    other = await one_day(system, "team:there")
    await system.stripe.v1.customers.delete_async(gone)
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert "customer" in (blocked.blocked_reason or "").lower()
    await system.until_state(other, InvoiceState.BILLED)


async def test_a_currency_that_the_customer_cannot_be_charged_in_blocks_its_invoice(system: System) -> None:
    payer = await customer(system, "team:euro")
    key = await one_day(system, "team:euro", customer=payer, currency="eur")
    product = await system.stripe.v1.products.create_async({"name": "Base"})
    price = {"currency": "usd", "product": product.id, "unit_amount": 900, "recurring": {"interval": "month"}}
    subscription = await system.stripe.v1.subscriptions.create_async(
        {"customer": payer, "items": [{"price_data": price}]}
    )
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.blocked_kind is BlockedKind.CURRENCY
    assert "You cannot combine currencies on a single customer" in (blocked.blocked_reason or "")
    # It goes on by itself once the subscription ends.
    await system.stripe.v1.subscriptions.cancel_async(subscription.id)
    billed = await system.until_state(key, InvoiceState.BILLED)
    stripe = await system.stripe.v1.invoices.list_async({"customer": payer})
    assert [(each.id, each.currency) for each in stripe.data if each.metadata] == [(billed.stripe_invoice_id, "eur")]


@pytest.mark.history("second-currency")
async def test_it_is_tried_again_when_an_invoice_of_its_account_is_paid(system: System) -> None:
    """Something else has kept Stripe from taking the currency: an item of a person, which went onto that invoice."""
    payer = await customer(system, "team:item")
    first = await one_day(system, "team:item", customer=payer, currency="eur")
    await system.run_period(MAY)
    item = {"customer": payer, "currency": "usd", "amount": 100}
    made = await system.stripe.v1.invoice_items.create_async(item)
    await system.add_instance("item-2", "team:item", "2022-06-03", "2022-06-04")
    await system.start_period("2022-06")
    second = first.replace(MAY, "2022-06")
    assert (await system.until_state(second, InvoiceState.BLOCKED)).blocked_kind is BlockedKind.CURRENCY
    await system.stripe.v1.invoice_items.delete_async(made.id)
    paid = await system.invoice(first)
    assert paid.stripe_invoice_id is not None
    await system.stripe.v1.invoices.pay_async(paid.stripe_invoice_id, {"payment_method": "pm_card_visa"})
    await system.until_state(second, InvoiceState.BILLED)


async def test_it_is_tried_again_when_an_invoice_of_others_ends(system: System) -> None:
    """The webhook has no database, and starts nothing for the invoices of others: the catch-up sees their end."""
    await system.stop()
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    await system.start()
    payer = await customer(system, "team:other")
    v1 = system.stripe.v1
    item = await v1.invoice_items.create_async({"customer": payer, "currency": "usd", "amount": 900})
    key = await one_day(system, "team:other", customer=payer, currency="eur")
    await system.start_period(MAY)
    assert (await system.until_state(key, InvoiceState.BLOCKED)).blocked_kind is BlockedKind.CURRENCY
    other = await v1.invoices.create_async(
        {"customer": payer, "currency": "usd", "pending_invoice_items_behavior": "include", "auto_advance": False}
    )
    assert (await v1.invoice_items.retrieve_async(item.id)).invoice == other.id
    await v1.invoices.finalize_invoice_async(str(other.id))
    await v1.invoices.void_invoice_async(str(other.id))
    assert (await catch_up(system)).foreign
    await system.until_state(key, InvoiceState.BILLED)


async def test_it_is_tried_again_daily_without_any_event(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITING_IN_STRIPE_REFRESHED_AFTER", timedelta(seconds=3))
    payer = await customer(system, "team:daily")
    key = await one_day(system, "team:daily", customer=payer, currency="eur")
    item = await system.stripe.v1.invoice_items.create_async({"customer": payer, "currency": "usd", "amount": 100})
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert (blocked.blocked_kind, blocked.stripe_invoice_id) == (BlockedKind.CURRENCY, None)
    await system.stripe.v1.invoice_items.delete_async(item.id)
    await system.until_state(key, InvoiceState.BILLED)


async def test_a_customers_balance_alters_what_is_due_and_not_what_is_billed(system: System) -> None:
    payer = await customer(system, "team:balance", balance=-500)
    key = await one_day(system, "team:balance", customer=payer)
    await system.run_period(MAY)
    billed = await system.invoice(key)
    stripe = await system.stripe.v1.invoices.retrieve_async(billed.stripe_invoice_id)
    assert (billed.state, billed.amount) == (InvoiceState.BILLED, DAY_CENTS)
    assert (stripe.subtotal, stripe.amount_due) == (DAY_CENTS, DAY_CENTS - 500)


async def test_automatic_tax_passes_through(system: System) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"automatic_tax": True})
    await system.start()
    await system.admin("settings", {"tax_percent": 20})
    try:
        payer = await customer(system, "team:tax", address={"country": "DE", "postal_code": "10117"})
        key = await one_day(system, "team:tax", customer=payer)
        await system.run_period(MAY)
    finally:
        await system.admin("settings", {"tax_percent": 0})
    billed = await system.invoice(key)
    stripe = await system.stripe.v1.invoices.retrieve_async(billed.stripe_invoice_id)
    assert (billed.state, billed.amount) == (InvoiceState.BILLED, DAY_CENTS)
    assert (stripe.subtotal, stripe.total) == (DAY_CENTS, DAY_CENTS + 173)
    assert stripe.automatic_tax.enabled
