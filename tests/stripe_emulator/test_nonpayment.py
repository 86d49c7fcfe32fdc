"""Subscriptions that pause, and invoices that nobody pays."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess
from tests.stripe_emulator.subscriptions import HOUR, at, clock, invoices, payer, price

PAUSE = {"end_behavior": {"missing_payment_method": "pause"}}


async def subscription_events(emulator: EmulatorProcess) -> list[str]:
    return [event.type.rpartition(".")[2] for event in await emulator.events(type="customer.subscription.*")]


async def trial(emulator: EmulatorProcess, v1: Any, owner: str, settings: dict[str, Any] = PAUSE) -> Any:
    terms = {"customer": owner, "items": [{"price": await price(v1)}], "trial_period_days": 14}
    return await v1.subscriptions.create_async({**terms, "trial_settings": settings})


async def test_a_trial_without_a_payment_method_pauses_and_resumes(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    made = await trial(emulator, v1, (await emulator.customer()).id)
    with pytest.raises(stripe.InvalidRequestError, match="only resume paused"):
        await v1.subscriptions.resume_async(made.id)
    await clock(emulator, "2022-05-20T00:00:00Z")
    paused = await v1.subscriptions.retrieve_async(made.id)
    assert (paused.status, paused.ended_at) == ("paused", None)
    assert await subscription_events(emulator) == ["created", "updated", "paused"]
    await clock(emulator, "2022-07-10T00:00:00Z")
    assert await subscription_events(emulator) == []  # 30 days have passed, and nothing happened
    resumed = await v1.subscriptions.resume_async(made.id)
    item = resumed["items"].data[0]
    assert (resumed.status, resumed.billing_cycle_anchor) == ("active", at("2022-07-10"))
    assert (item.current_period_start, item.current_period_end) == (at("2022-07-10"), at("2022-08-10"))
    assert await subscription_events(emulator) == ["updated", "resumed"]
    await clock(emulator, "2022-08-10T00:00:00Z")
    assert await subscription_events(emulator) == ["updated"]


async def test_it_resumes_within_its_old_cycle(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"subscription_invoices": True})
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = (await emulator.customer()).id
    made, free = await trial(emulator, v1, owner), await trial(emulator, v1, owner)
    await clock(emulator, "2022-05-30T12:00:00Z")
    assert [one.total for one in await invoices(v1, made.id)] == [0]
    await v1.customers.update_async(owner, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    resumed = await v1.subscriptions.resume_async(made.id, {"billing_cycle_anchor": "unchanged"})
    assert resumed.billing_cycle_anchor == at("2022-05-15")
    assert [one.total for one in await invoices(v1, made.id)] == [0, 500]  # half a period is left
    terms = {"billing_cycle_anchor": "unchanged", "proration_behavior": "none"}
    await v1.subscriptions.resume_async(free.id, terms)
    await clock(emulator, "2022-06-15T02:00:00Z")
    assert [one.total for one in await invoices(v1, free.id)] == [0, 1000]


@pytest.mark.parametrize(
    ("how", "with_method", "status"),
    [
        ("cancel", False, "canceled"),
        ("cancel", True, "active"),
        ("pause", True, "active"),
        ("create_invoice", False, "active"),
    ],
)
async def test_the_end_of_a_trial(emulator: EmulatorProcess, v1: Any, how: str, with_method: bool, status: str) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator) if with_method else (await emulator.customer()).id
    made = await trial(emulator, v1, owner, {"end_behavior": {"missing_payment_method": how}})
    await clock(emulator, "2022-05-15T00:00:00Z")
    after = await v1.subscriptions.retrieve_async(made.id)
    assert (after.status, after.ended_at) == (status, at("2022-05-15") if status == "canceled" else None)


async def test_a_subscription_may_have_a_payment_method_of_its_own(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    made = await trial(emulator, v1, (await emulator.customer()).id)
    await v1.subscriptions.update_async(made.id, {"default_payment_method": "pm_card_visa"})
    await clock(emulator, "2022-05-15T00:00:00Z")
    assert (await v1.subscriptions.retrieve_async(made.id)).status == "active"


async def unpaid(emulator: EmulatorProcess, v1: Any, attempts: int | None) -> Any:
    """Create a subscription whose customer's card is declined from the first cycle's end (2022-06-01)."""
    order = {"subscription_invoices": True, "unpaid_after_attempts": attempts}
    await emulator.admin("POST", "settings", order)
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator)
    made = await v1.subscriptions.create_async({"customer": owner, "items": [{"price": await price(v1)}]})
    declined = {"default_payment_method": "pm_card_chargeCustomerFail"}
    await v1.customers.update_async(owner, {"invoice_settings": declined})
    return made


async def test_a_subscription_that_is_not_paid_is_canceled(emulator: EmulatorProcess, v1: Any) -> None:
    made = await unpaid(emulator, v1, 3)
    first = at("2022-06-01T01:00")
    await clock(emulator, "2022-06-01T02:00:00Z")
    late = (await invoices(v1, made.id))[-1]
    assert (late.status, late.attempt_count, late.next_payment_attempt) == ("open", 1, first + 24 * HOUR)
    assert (await v1.subscriptions.retrieve_async(made.id)).status == "past_due"
    await clock(emulator, "2022-06-20T00:00:00Z")
    ended = await v1.subscriptions.retrieve_async(made.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert ended.ended_at == ended.canceled_at == first + 48 * HOUR
    assert await subscription_events(emulator) == ["updated", "updated", "deleted"]
    failed = await emulator.events(type="invoice.payment_failed")
    assert [event.created for event in failed] == [first, first + 24 * HOUR, first + 48 * HOUR]
    late = await v1.invoices.retrieve_async(late.id)
    assert (late.status, late.attempt_count, late.next_payment_attempt) == ("open", 3, None)
    await clock(emulator, "2022-09-01T00:00:00Z")
    assert len(await invoices(v1, made.id)) == 2


async def test_a_payment_in_time_makes_it_active_again(emulator: EmulatorProcess, v1: Any) -> None:
    made = await unpaid(emulator, v1, 3)
    await clock(emulator, "2022-06-02T02:00:00Z")
    late = (await invoices(v1, made.id))[-1]
    assert late.attempt_count == 2
    await v1.customers.update_async(made.customer, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    await clock(emulator, "2022-06-10T00:00:00Z")
    late = await v1.invoices.retrieve_async(late.id)
    assert (late.status, late.status_transitions.paid_at) == ("paid", at("2022-06-03T01:00"))
    assert (await v1.subscriptions.retrieve_async(made.id)).status == "active"
    await clock(emulator, "2022-07-01T02:00:00Z")
    assert [one.status for one in await invoices(v1, made.id)] == ["paid"] * 3


async def test_nothing_more_is_collected_for_what_was_canceled(emulator: EmulatorProcess, v1: Any) -> None:
    made = await unpaid(emulator, v1, 5)
    await clock(emulator, "2022-06-01T02:00:00Z")
    await v1.subscriptions.cancel_async(made.id)
    await clock(emulator, "2022-06-10T00:00:00Z")
    late = (await invoices(v1, made.id))[-1]
    assert (late.status, late.attempt_count, late.auto_advance, late.next_payment_attempt) == ("open", 1, False, None)


async def test_a_cancellation_stops_all_collection(emulator: EmulatorProcess, v1: Any) -> None:
    """Of every finalized invoice of the customer, until a person resumes it; drafts go on."""
    made = await unpaid(emulator, v1, 5)
    own = await emulator.draft(900, customer=made.customer)
    await v1.invoices.finalize_invoice_async(own.id, {"auto_advance": True})
    draft = await emulator.draft(700, customer=made.customer, auto_advance=True)
    others = await emulator.draft(800)
    await v1.invoices.finalize_invoice_async(others.id, {"auto_advance": True})
    await v1.subscriptions.cancel_async(made.id)
    stopped = await v1.invoices.retrieve_async(own.id)
    assert (stopped.status, stopped.auto_advance, stopped.next_payment_attempt) == ("open", False, None)
    (event,) = (await emulator.events(type="invoice.updated"))[-1:]
    assert (event.data.object["id"], event.data.previous_attributes.auto_advance) == (own.id, True)
    assert (await v1.invoices.retrieve_async(others.id)).auto_advance
    await v1.customers.update_async(made.customer, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    await clock(emulator, "2022-05-10T00:00:00Z")
    assert (await v1.invoices.retrieve_async(own.id)).status == "open"
    assert (await v1.invoices.retrieve_async(draft.id)).status == "paid"
    assert (await v1.invoices.pay_async(own.id)).status == "paid"


async def test_without_the_setting_nothing_is_tried_again(emulator: EmulatorProcess, v1: Any) -> None:
    made = await unpaid(emulator, v1, None)
    await clock(emulator, "2022-06-20T00:00:00Z")
    late = (await invoices(v1, made.id))[-1]
    assert (late.status, late.attempt_count, late.next_payment_attempt) == ("open", 1, None)
    assert (await v1.subscriptions.retrieve_async(made.id)).status == "past_due"


async def test_an_invoice_of_its_own_is_tried_again(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"unpaid_after_attempts": 2})
    await clock(emulator, "2022-05-01T00:00:00Z")
    draft = await emulator.draft(900, auto_advance=True)
    other = await emulator.draft(900, auto_advance=True)
    await clock(emulator, "2022-05-01T02:00:00Z")
    await v1.invoices.void_invoice_async(other.id)
    await clock(emulator, "2022-05-09T00:00:00Z")
    assert (await v1.invoices.retrieve_async(draft.id)).attempt_count == 2
    assert (await v1.invoices.retrieve_async(other.id)).attempt_count == 1
