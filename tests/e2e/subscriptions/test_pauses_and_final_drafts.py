"""Events of a subscription besides cancellation: pauses, final drafts, and two subscriptions at the same time."""

from __future__ import annotations

import pytest

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, ChargeOn, FreeTime
from billing.invoice.states import InvoiceState
from storage.accounts import policies
from storage.accounts.subscription_faults import list_faults
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at
from tests.support.until import until
from tests.support.usage import DAY_CENTS

pytestmark = pytest.mark.waits


@pytest.mark.history("paused")
async def test_a_pause_closes_the_window_and_resuming_opens_another(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:pause")
    subscription = await they.subscribe(
        customer,
        trial_end=int(at("2022-05-10").timestamp()),
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    await they.until_windows("team:pause", ("2022-05-01", "2022-05-10"), ("2022-05-10", None))
    await policies.write_policy(system.db, "team:pause", AccountPolicy(trial_usage=FreeTime.CHARGE))
    await system.add_instance("pause-1", "team:pause", "2022-05-09", "2022-05-25")
    await they.clock("2022-05-12")
    await they.until_windows("team:pause", ("2022-05-01", "2022-05-10"))
    (settled,) = await system.until_settled(1)
    assert settled.key == f"2022-05/team:pause/cancellation/{subscription}-paused"
    assert (settled.cutoff, settled.amount) == (at("2022-05-10"), DAY_CENTS)

    await they.clock("2022-05-20")
    await system.stripe.v1.subscriptions.resume_async(subscription, {"billing_cycle_anchor": "now"})
    await they.until_windows("team:pause", ("2022-05-01", "2022-05-10"), ("2022-05-20", None))
    await they.until_rested(subscription)
    await system.run_period("2022-05")
    period = next(i for i in await system.invoices() if i.reason is InvoiceReason.PERIOD)
    assert period.amount == 5 * DAY_CENTS


@pytest.mark.history("subscription-blocked")
async def test_two_subscriptions_at_once_wait_visibly_and_bill_once(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:two")
    await they.subscribe(customer)
    await they.until_windows("team:two", ("2022-05-01", None))
    await they.clock("2022-05-02")
    second = await they.subscribe(customer)
    await they.until_says(second, "Blocked", "overlapping windows")

    async def reported() -> bool:
        return [fault.stripe_subscription_id for fault in await list_faults(system.db)] == [second]

    await until(reported)
    await system.add_instance("two-1", "team:two", "2022-05-03", "2022-05-04")
    await system.run_period("2022-05")
    assert [i.amount for i in await system.invoices()] == [DAY_CENTS]

    await they.cancel(second)
    await they.until_rested(second)
    assert await list_faults(system.db) == []


@pytest.mark.history("cancelled-on-final-draft")
async def test_the_usage_up_to_a_cancellation_is_put_on_its_final_draft(system: System, they: Subscribers) -> None:
    await system.admin("settings", {"subscription_invoices": True})
    try:
        await they.clock("2022-05-01")
        customer = await they.customer(attribution_id="team:final")
        card = {"default_payment_method": "pm_card_visa"}
        await system.stripe.v1.customers.update_async(customer, {"invoice_settings": card})
        subscription = await they.subscribe(customer)
        await they.until_windows("team:final", ("2022-05-01", None))
        await policies.write_policy(system.db, "team:final", AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION))
        await system.add_instance("final-1", "team:final", "2022-05-03", None)
        await they.clock("2022-05-05")
        await system.stripe.v1.subscriptions.cancel_async(subscription, {"invoice_now": True, "prorate": False})
        (settled,) = await system.until_settled(1)
        settled = await system.until_state(settled.key, InvoiceState.PAID)
        stripe = await system.stripe.v1.invoices.retrieve_async(settled.stripe_invoice_id)
        assert stripe.parent.subscription_details.subscription == subscription
        assert settled.key == f"2022-05/team:final/subscription/{stripe.id}"
        assert (settled.amount, settled.charge_on) == (2 * DAY_CENTS, ChargeOn.SUBSCRIPTION)
        assert stripe.status in ("open", "paid")
        assert stripe.metadata["report_id"] == settled.report_id
        await system.run_period("2022-05")
        assert len(await system.invoices()) == 1
    finally:
        await system.admin("settings", {"subscription_invoices": False})
