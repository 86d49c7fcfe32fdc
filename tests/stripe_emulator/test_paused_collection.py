"""Subscriptions whose collection is paused, and drafts that a person holds."""

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


async def paused(emulator: EmulatorProcess, v1: Any, **pause: Any) -> Any:
    """Create a monthly subscription in May 2022, and pause its collection on the 10th."""
    await clock(emulator, "2022-05-01T00:00:00Z")
    terms = {"customer": await payer(emulator), "items": [{"price": await price(v1)}]}
    made = await v1.subscriptions.create_async(terms)
    await clock(emulator, "2022-05-10T00:00:00Z")
    return await v1.subscriptions.update_async(made.id, {"pause_collection": pause})


async def test_drafts_are_kept_until_a_person_releases_them(emulator: EmulatorProcess, v1: Any) -> None:
    made = await paused(emulator, v1, behavior="keep_as_draft")
    assert (made.status, made.pause_collection.behavior, made.pause_collection.resumes_at) == (
        "active",
        "keep_as_draft",
        None,
    )
    (event,) = await emulator.events(type="customer.subscription.updated")
    assert event.data.previous_attributes.pause_collection is None
    await clock(emulator, "2022-07-02T00:00:00Z")
    _, june, july = await invoices(v1, made.id)
    for draft in (june, july):
        assert (draft.status, draft.auto_advance, draft.automatically_finalizes_at) == ("draft", False, None)
        assert (draft.billing_reason, draft.total) == ("subscription_cycle", 1000)
    await v1.subscriptions.update_async(made.id, {"pause_collection": ""})
    (event,) = (await emulator.events(type="customer.subscription.updated"))[-1:]
    assert event.data.previous_attributes.pause_collection.behavior == "keep_as_draft"
    await v1.invoices.update_async(june.id, {"auto_advance": True})
    await clock(emulator, "2022-08-01T02:00:00Z")
    assert [one.status for one in await invoices(v1, made.id)] == ["paid", "paid", "draft", "paid"]


async def test_collection_resumes_at_its_time(emulator: EmulatorProcess, v1: Any) -> None:
    """The invoice of that very instant is collected again."""
    resumes_at = at("2022-07-01")
    made = await paused(emulator, v1, behavior="keep_as_draft", resumes_at=resumes_at)
    await clock(emulator, "2022-06-30T00:00:00Z")
    assert (await v1.subscriptions.retrieve_async(made.id)).pause_collection.resumes_at == resumes_at
    await clock(emulator, "2022-07-01T02:00:00Z")
    assert (await v1.subscriptions.retrieve_async(made.id)).pause_collection is None
    events = await emulator.events(type="customer.subscription.updated")
    (resumed,) = [one for one in events if "pause_collection" in (one.data.to_dict().get("previous_attributes") or {})]
    assert (resumed.created, resumed.data.previous_attributes.pause_collection.resumes_at) == (resumes_at, resumes_at)
    _, june, july = await invoices(v1, made.id)
    assert (june.status, july.status, july.status_transitions.paid_at) == ("draft", "paid", resumes_at + HOUR)


@pytest.mark.parametrize(
    ("behavior", "status", "event"),
    [("void", "void", "invoice.voided"), ("mark_uncollectible", "uncollectible", "invoice.marked_uncollectible")],
)
async def test_services_for_free(emulator: EmulatorProcess, v1: Any, behavior: str, status: str, event: str) -> None:
    """No invoice of that time is collected, and the next one is."""
    made = await paused(emulator, v1, behavior=behavior)
    await clock(emulator, "2022-06-01T00:00:00Z")
    _, june = await invoices(v1, made.id)
    assert (june.status, june.auto_advance, june.total, june.amount_paid) == (status, False, 1000, 0)
    assert [one.type for one in await emulator.events(type=event)] == [event]
    await v1.subscriptions.update_async(made.id, {"pause_collection": ""})
    await clock(emulator, "2022-07-01T02:00:00Z")
    assert [one.status for one in await invoices(v1, made.id)] == ["paid", status, "paid"]


async def test_void_invoices_leave_the_balance_alone(emulator: EmulatorProcess, v1: Any) -> None:
    made = await paused(emulator, v1, behavior="void")
    paid = (await invoices(v1, made.id))[0]
    await v1.credit_notes.create_async({"invoice": paid.id, "amount": 300, "credit_amount": 300})
    await clock(emulator, "2022-06-01T02:00:00Z")
    assert (await v1.customers.retrieve_async(made.customer)).balance == -300


async def test_wrong_pauses_are_refused(emulator: EmulatorProcess, v1: Any) -> None:
    made = await paused(emulator, v1, behavior="void")
    for wrong in ({"behavior": "forget"}, {"resumes_at": at("2022-07-01")}):
        with pytest.raises(stripe.InvalidRequestError):
            await v1.subscriptions.update_async(made.id, {"pause_collection": wrong})
    terms = {"customer": made.customer, "items": [{"price": await price(v1)}], "pause_collection": {"behavior": "void"}}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.subscriptions.create_async(terms)
    assert caught.value.code == "parameter_unknown"


async def test_a_draft_that_a_person_holds_stays_one(emulator: EmulatorProcess, v1: Any) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    terms = {"customer": await payer(emulator), "items": [{"price": await price(v1)}]}
    made = await v1.subscriptions.create_async(terms)
    await clock(emulator, "2022-06-01T00:10:00Z")
    draft = (await invoices(v1, made.id))[-1]
    held = await v1.invoices.update_async(draft.id, {"auto_advance": False})
    assert (held.automatically_finalizes_at, held.next_payment_attempt) == (None, None)
    await clock(emulator, "2022-06-20T00:00:00Z")
    assert (await v1.invoices.retrieve_async(draft.id)).status == "draft"
    released = await v1.invoices.update_async(draft.id, {"auto_advance": True})
    assert released.automatically_finalizes_at == at("2022-06-20T01:00")
    await clock(emulator, "2022-06-20T01:00:00Z")
    assert (await v1.invoices.retrieve_async(draft.id)).status == "paid"
