"""Subscriptions that create invoices on the emulator's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

from stripe_emulator import EmulatorConfig
from tests.stripe_emulator.conftest import EmulatorProcess, running
from tests.stripe_emulator.subscriptions import HOUR, at, clock, invoices, payer, price


@pytest.fixture
async def emulator() -> AsyncIterator[EmulatorProcess]:
    async with running(EmulatorConfig(search_lag=0.1, subscription_invoices=True)) as one:
        yield one


async def test_its_creation_is_invoiced_and_paid_at_once(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-10T12:00:00Z")
    items = [{"price": await price(v1), "quantity": 3}, {"price": await price(v1, 7, usage_type="metered")}]
    made = await v1.subscriptions.create_async(
        {"customer": await payer(emulator), "items": items, "metadata": {"a": "b"}}
    )
    assert made.status == "active"
    (first,) = await invoices(v1, made.id)
    assert (first.id, first.billing_reason, first.status, first.total) == (
        made.latest_invoice,
        "subscription_create",
        "paid",
        3000,
    )
    assert first.period_start == first.period_end == first.created == at("2022-05-10T12:00")
    (line,) = first.lines.data
    assert (line.amount, line.quantity, line.period.end) == (3000, 3, at("2022-06-10T12:00"))
    assert line.parent.subscription_item_details.subscription == made.id
    assert line.parent.subscription_item_details.subscription_item == made["items"].data[0].id
    assert first.parent.subscription_details.metadata.a == "b"


async def test_a_cycle_ends_with_a_draft_for_an_hour(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-01-31T10:00:00Z")
    made = await v1.subscriptions.create_async(
        {"customer": await payer(emulator), "items": [{"price": await price(v1)}], "metadata": {"a": "b"}}
    )
    await clock(emulator, "2022-02-28T10:00:01Z")
    first, draft = await invoices(v1, made.id)
    boundary = at("2022-02-28T10:00")
    assert (draft.billing_reason, draft.status, draft.auto_advance) == ("subscription_cycle", "draft", True)
    assert (draft.created, draft.automatically_finalizes_at) == (boundary, boundary + HOUR)
    assert (draft.period_start, draft.period_end) == (first.created, boundary)
    (line,) = draft.lines.data
    assert (line.amount, line.period.start, line.period.end) == (1000, boundary, at("2022-03-31T10:00"))
    assert draft.parent.type == "subscription_details"
    assert draft.parent.subscription_details.subscription == made.id
    assert draft.parent.subscription_details.metadata.a == "b"
    assert (await v1.subscriptions.retrieve_async(made.id)).latest_invoice == draft.id
    events = (await emulator.events())[-2:]
    assert [event.type for event in events] == ["invoice.created", "customer.subscription.updated"]
    assert [event.created for event in events] == [boundary, boundary]
    assert events[1].data.previous_attributes.latest_invoice == first.id
    added = {"lines": [{"amount": 250, "description": "usage"}], "invoice_metadata": {"perdure": "1"}}
    await v1.invoices.add_lines_async(draft.id, added)
    await clock(emulator, "2022-02-28T10:59:59Z")
    assert (await v1.invoices.retrieve_async(draft.id)).status == "draft"
    await clock(emulator, "2022-02-28T11:00:00Z")
    final = await v1.invoices.retrieve_async(draft.id)
    assert (final.status, final.total, final.status_transitions.finalized_at) == ("paid", 1250, boundary + HOUR)


async def test_a_moved_billing_anchor_begins_a_period_and_invoices_it_at_once(
    emulator: EmulatorProcess, v1: Any
) -> None:
    await clock(emulator, "2022-05-10T10:00:00Z")
    made = await v1.subscriptions.create_async(
        {"customer": await payer(emulator), "items": [{"price": await price(v1)}]}
    )
    await clock(emulator, "2022-05-25T08:00:00Z")
    with pytest.raises(stripe.InvalidRequestError):
        await v1.subscriptions.update_async(made.id, {"billing_cycle_anchor": "now"})
    moved = {"billing_cycle_anchor": "now", "proration_behavior": "none"}
    changed = await v1.subscriptions.update_async(made.id, moved)
    (item,) = changed["items"].data
    assert (item.current_period_start, item.current_period_end) == (at("2022-05-25T08:00"), at("2022-06-25T08:00"))
    _, update = await invoices(v1, made.id)
    assert (update.billing_reason, update.status, update.total) == ("subscription_update", "paid", 1000)
    await clock(emulator, "2022-06-25T08:00:00Z")
    *_, cycle = await invoices(v1, made.id)
    assert (cycle.period_start, cycle.period_end) == (at("2022-05-25T08:00"), at("2022-06-25T08:00"))


async def test_the_clock_may_pass_many_cycles(emulator: EmulatorProcess, v1: Any) -> None:
    """The end of a month stays the end of the month, and each step carries its own instant."""
    await clock(emulator, "2022-01-31T10:00:00Z")
    owner = await payer(emulator)
    made = await v1.subscriptions.create_async({"customer": owner, "items": [{"price": await price(v1)}]})
    await clock(emulator, "2022-06-15T00:00:00Z")
    found = await invoices(v1, made.id)
    ends = [at(f"2022-{day}T10:00") for day in ("02-28", "03-31", "04-30", "05-31")]
    assert [one.created for one in found] == [made.created, *ends]
    assert [(one.period_start, one.period_end) for one in found[1:]] == list(
        zip([made.created, *ends[:-1]], ends, strict=True)
    )
    assert [one.status_transitions.finalized_at for one in found[1:]] == [end + HOUR for end in ends]
    assert {one.status for one in found} == {"paid"}
    assert [int(one.number[-4:]) for one in found] == [1, 2, 3, 4, 5]
    now = await v1.subscriptions.retrieve_async(made.id)
    assert now.latest_invoice == found[-1].id
    assert now["items"].data[0].current_period_end == at("2022-06-30T10:00")


async def test_two_subscriptions_take_their_turns(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-01-01T00:00:00Z")
    weekly, owner = await price(v1, 100, interval="week"), await payer(emulator)
    await v1.subscriptions.create_async({"customer": owner, "items": [{"price": weekly}]})
    await clock(emulator, "2022-01-03T00:00:00Z")
    await v1.subscriptions.create_async({"customer": owner, "items": [{"price": weekly}]})
    before = len(await emulator.events(type="invoice.created"))
    await clock(emulator, "2022-01-18T00:00:00Z")
    made = (await emulator.events(type="invoice.created"))[before:]
    wanted = [at(f"2022-01-{day:02d}") for day in (8, 10, 15, 17)]
    assert [event.created for event in made] == wanted
    assert [event.data.object.created for event in made] == wanted
    times = [event.created for event in await emulator.events()]
    assert times == sorted(times)


async def test_nothing_to_pay_stays_a_draft_for_its_hour_too(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer()
    metered = await price(v1, 5, usage_type="metered")
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": metered}]})
    assert (await invoices(v1, made.id))[0].status == "paid"
    await clock(emulator, "2022-06-01T00:30:00Z")
    draft = (await invoices(v1, made.id))[1]
    assert (draft.status, draft.total, draft.lines.data) == ("draft", 0, [])
    await clock(emulator, "2022-06-01T01:00:00Z")
    assert (await v1.invoices.retrieve_async(draft.id)).status == "paid"


async def test_cancelling_may_make_a_last_draft(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator)
    made = await v1.subscriptions.create_async(
        {"customer": owner, "items": [{"price": await price(v1)}], "metadata": {"a": "b"}}
    )
    await clock(emulator, "2022-05-20T08:00:00Z")
    ended = await v1.subscriptions.cancel_async(made.id, {"invoice_now": True, "prorate": False})
    last = (await invoices(v1, made.id))[-1]
    assert (ended.status, ended.ended_at, ended.latest_invoice) == ("canceled", at("2022-05-20T08:00"), last.id)
    assert (last.status, last.billing_reason, last.lines.data) == ("draft", "subscription_cycle", [])
    assert (last.period_start, last.period_end) == (at("2022-05-01"), at("2022-05-20T08:00"))
    assert last.automatically_finalizes_at == last.created + HOUR
    assert last.parent.subscription_details.metadata.a == "b"
    kinds = [event.type for event in await emulator.events()]
    assert kinds[-2:] == ["invoice.created", "customer.subscription.deleted"]
    await clock(emulator, "2022-09-01T00:00:00Z")
    assert len(await invoices(v1, made.id)) == 2
    other = await v1.subscriptions.create_async({"customer": owner, "items": [{"price": await price(v1)}]})
    await v1.subscriptions.cancel_async(other.id)
    assert len(await invoices(v1, other.id)) == 1
    with pytest.raises(stripe.InvalidRequestError):
        await v1.subscriptions.cancel_async(other.id, {"invoice_now": True})


@pytest.mark.parametrize(("usage_type", "drafts"), [("metered", 1), ("licensed", 0)])
async def test_at_the_periods_end_what_was_metered_is_still_billed(
    emulator: EmulatorProcess, v1: Any, usage_type: str, drafts: int
) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator)
    plan = await price(v1, usage_type=usage_type)
    made = await v1.subscriptions.create_async({"customer": owner, "items": [{"price": plan}]})
    await v1.subscriptions.update_async(made.id, {"cancel_at_period_end": True})
    await clock(emulator, "2022-06-01T00:10:00Z")
    assert (await v1.subscriptions.retrieve_async(made.id)).ended_at == at("2022-06-01")
    last = (await invoices(v1, made.id))[1:]
    assert [(one.status, one.period_end, one.created) for one in last] == [
        ("draft", at("2022-06-01"), at("2022-06-01"))
    ] * drafts


async def test_pending_items_come_with_the_next_cycle(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator)
    made = await v1.subscriptions.create_async({"customer": owner, "items": [{"price": await price(v1)}]})
    await v1.invoice_items.create_async({"customer": owner, "amount": 70, "currency": "usd"})
    await clock(emulator, "2022-06-01T00:10:00Z")
    draft = (await invoices(v1, made.id))[-1]
    assert [line.amount for line in draft.lines.data] == [1000, 70]
    base = draft.lines.data[0].id
    left = await v1.invoices.remove_lines_async(draft.id, {"lines": [{"id": base, "behavior": "delete"}]})
    assert left.total == 70


async def test_a_trial_costs_nothing_until_it_ends(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await payer(emulator)
    items = [{"price": await price(v1)}]
    made = await v1.subscriptions.create_async({"customer": owner, "items": items, "trial_period_days": 14})
    short = await v1.subscriptions.create_async({"customer": owner, "items": items, "trial_period_days": 14})
    await v1.subscriptions.update_async(short.id, {"trial_end": "now"})
    await clock(emulator, "2022-05-15T00:10:00Z")
    first, second = await invoices(v1, made.id)
    assert (first.total, first.status) == (0, "paid")
    assert (second.billing_reason, second.total) == ("subscription_cycle", 1000)
    assert (second.period_start, second.period_end) == (at("2022-05-01"), at("2022-05-15"))
    reasons = [(one.billing_reason, one.total, one.status) for one in await invoices(v1, short.id)]
    assert reasons == [("subscription_create", 0, "paid"), ("subscription_update", 1000, "paid")]


async def test_before_its_anchor_it_costs_by_the_second(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-06-11T00:00:00Z")
    owner = await payer(emulator)
    terms = {
        "customer": owner,
        "items": [{"price": await price(v1, 3000)}],
        "billing_cycle_anchor": at("2022-07-01"),
    }
    made = await v1.subscriptions.create_async(terms)
    assert [one.total for one in await invoices(v1, made.id)] == [2000]
    free = await v1.subscriptions.create_async({**terms, "proration_behavior": "none"})
    assert [one.total for one in await invoices(v1, free.id)] == [0]
    await clock(emulator, "2022-07-01T02:00:00Z")
    assert [one.total for one in await invoices(v1, made.id)] == [2000, 3000]


async def test_invoices_to_send_are_due_by_the_subscriptions_days(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer(email="a@example.com")
    terms = {"collection_method": "send_invoice", "days_until_due": 10}
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": await price(v1)}], **terms})
    assert made.status == "active"
    await clock(emulator, "2022-06-01T01:00:00Z")
    last = (await invoices(v1, made.id))[-1]
    assert (last.status, last.due_date) == ("open", at("2022-06-11T01:00"))


async def test_what_cannot_be_charged_is_incomplete_and_expires(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer()
    items = [{"price": await price(v1)}]
    paid = await v1.subscriptions.create_async({"customer": owner.id, "items": items})
    left = await v1.subscriptions.create_async({"customer": owner.id, "items": items})
    assert (paid.status, left.status) == ("incomplete", "incomplete")
    await v1.invoices.pay_async(paid.latest_invoice, {"payment_method": "pm_card_visa"})
    assert (await v1.subscriptions.retrieve_async(paid.id)).status == "active"
    await clock(emulator, "2022-05-02T00:00:00Z")
    assert (await v1.subscriptions.retrieve_async(left.id)).status == "incomplete_expired"
    assert (await v1.invoices.retrieve_async(left.latest_invoice)).status == "void"
    await clock(emulator, "2022-06-01T02:00:00Z")
    assert (len(await invoices(v1, paid.id)), len(await invoices(v1, left.id))) == (2, 1)


async def test_it_is_a_setting_of_the_process(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"subscription_invoices": False})
    assert (await emulator.admin("GET", "settings"))["subscription_invoices"] is False
    made = await v1.subscriptions.create_async(
        {"customer": await payer(emulator), "items": [{"price": await price(v1)}]}
    )
    assert (made.latest_invoice, await invoices(v1, made.id)) == (None, [])
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.subscriptions.cancel_async(made.id, {"invoice_now": True})
    assert caught.value.code == "emulator_unsupported"
    await emulator.admin("POST", "settings", {"subscription_invoices": "yes"}, status=400)
    await emulator.admin("POST", "settings", {"unpaid_after_attempts": 0}, status=400)
    await emulator.admin("POST", "settings", {"tax_percent": "much"}, status=400)
