from __future__ import annotations

from typing import Any

import pytest
import stripe

from stripe_emulator.engine.subscriptions.periods import period_at
from tests.stripe_emulator.conftest import EmulatorProcess
from tests.stripe_emulator.subscriptions import at


@pytest.fixture
async def price(v1: Any) -> str:
    product = await v1.products.create_async({"name": "Plan"})
    made = await v1.prices.create_async(
        {"product": product.id, "currency": "usd", "unit_amount": 0, "recurring": {"interval": "month"}}
    )
    return str(made.id)


async def test_a_subscription_lives_and_ends(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-01-31T10:00:00Z"})
    owner = await emulator.customer()
    made = await v1.subscriptions.create_async(
        {"customer": owner.id, "items": [{"price": price}], "metadata": {"a": "b"}}
    )
    item = made["items"].data[0]
    assert (made.status, made.start_date, made.ended_at, made.canceled_at) == ("active", made.created, None, None)
    assert (item.current_period_start, item.current_period_end) == (made.created, made.created + 28 * 86400)
    await emulator.admin("POST", "clock", {"advance_seconds": 86400})
    ended = await v1.subscriptions.cancel_async(made.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "cancellation_requested")
    assert 86400 <= ended.ended_at - ended.start_date <= 86402
    assert (await v1.subscriptions.list_async({"customer": owner.id})).data == []
    assert len((await v1.subscriptions.list_async({"customer": owner.id, "status": "all"})).data) == 1
    assert len((await v1.subscriptions.list_async({"status": "ended"})).data) == 1
    kinds = [event.type for event in await emulator.events() if "subscription" in event.type]
    assert kinds == ["customer.subscription.created", "customer.subscription.deleted"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.subscriptions.cancel_async(made.id)
    assert caught.value.code == "resource_missing"


async def test_it_ends_with_its_period(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-10T00:00:00Z", "frozen": True})
    owner = await emulator.customer()
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": price}]})
    planned = await v1.subscriptions.update_async(made.id, {"cancel_at_period_end": True})
    assert (planned.status, planned.cancel_at) == ("active", at("2022-06-10"))
    kept = await v1.subscriptions.update_async(made.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at) == (None, None)
    await v1.subscriptions.update_async(made.id, {"cancel_at_period_end": True})
    await emulator.admin("POST", "clock", {"advance_seconds": 40 * 86400})
    ended = await v1.subscriptions.retrieve_async(made.id)
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", at("2022-06-10"), at("2022-05-10"))
    assert (await emulator.events(type="customer.subscription.*"))[-1].type == "customer.subscription.deleted"


async def test_a_trial_becomes_active_and_periods_follow_the_clock(
    emulator: EmulatorProcess, v1: Any, price: str
) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-01T00:00:00Z", "frozen": True})
    owner = await emulator.customer()
    made = await v1.subscriptions.create_async(
        {"customer": owner.id, "items": [{"price": price}], "trial_period_days": 14}
    )
    assert (made.status, made.trial_end) == ("trialing", at("2022-05-15"))
    assert [one.id for one in (await v1.subscriptions.list_async({"status": "trialing"})).data] == [made.id]
    await emulator.admin("POST", "clock", {"now": "2022-08-20T00:00:00Z", "frozen": True})
    active = await v1.subscriptions.retrieve_async(made.id)
    item = active["items"].data[0]
    assert active.status == "active"
    assert (item.current_period_start, item.current_period_end) == (at("2022-08-15"), at("2022-09-15"))
    event = (await emulator.events(type="customer.*"))[-1]
    assert event.type == "customer.subscription.updated"
    assert event.data.previous_attributes.status == "trialing"
    assert event.request.id is None


async def test_items_and_terms_change(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    owner = await emulator.customer(email="a@example.com")
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": price}]})
    first = made["items"].data[0].id
    data = {"currency": "usd", "product": made["items"].data[0].price.product, "recurring": {"interval": "year"}}
    items = [{"id": first, "quantity": 3}, {"price_data": {**data, "unit_amount_decimal": "0.5"}}]
    changed = await v1.subscriptions.update_async(made.id, {"items": items, "metadata": {"plan": "b"}})
    assert [item.quantity for item in changed["items"].data] == [3, 1]
    assert str(changed["items"].data[1].price.unit_amount_decimal) == "0.5"
    billed = await v1.subscriptions.update_async(made.id, {"collection_method": "send_invoice", "days_until_due": 7})
    assert billed.days_until_due == 7
    with pytest.raises(stripe.InvalidRequestError, match="at least one item"):
        await v1.subscriptions.update_async(
            made.id, {"items": [{"id": item.id, "deleted": True} for item in changed["items"].data]}
        )


async def test_wrong_terms_are_refused(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    owner = await emulator.customer()
    base = {"customer": owner.id, "items": [{"price": price}]}
    once = await v1.prices.create_async({"currency": "usd", "unit_amount": 5, "product_data": {"name": "Once"}})
    for wrong, param in (
        ({"days_until_due": 3}, "days_until_due"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"items": [{"price": once.id}]}, "items[0][price]"),
        ({"items": [{"price": "price_none"}]}, "items[0][price]"),
        ({"items": []}, "items"),
        ({"cancel_at": 1_000_000_000}, "cancel_at"),
        ({"currency": "eur"}, "items[0][price]"),
        (
            {"trial_settings": {"end_behavior": {"missing_payment_method": "hope"}}},
            "trial_settings[end_behavior][missing_payment_method]",
        ),
        ({"off_session": True}, "off_session"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await v1.subscriptions.create_async({**base, **wrong})
        assert caught.value.param == param, wrong


async def test_a_customer_keeps_to_one_currency(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    owner = await emulator.customer()
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": price}]})
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        await v1.invoices.create_async({"customer": owner.id, "currency": "eur"})
    await v1.subscriptions.cancel_async(made.id)
    assert (await v1.invoices.create_async({"customer": owner.id, "currency": "eur"})).currency == "eur"


async def test_expanding_names_the_object_itself(emulator: EmulatorProcess, v1: Any, price: str) -> None:
    owner = await emulator.customer()
    made = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": price}]})
    full = await v1.subscriptions.retrieve_async(made.id, {"expand": ["customer", "items.data.price.product"]})
    assert (full.customer.name, full["items"].data[0].price.product.name) == ("Test", "Plan")
    listed = await v1.customers.list_async({"expand": ["data.subscriptions"]})
    assert [one.id for one in listed.data[0].subscriptions.data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await v1.subscriptions.retrieve_async(made.id, {"expand": ["colour"]})


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "now", "start", "end"),
    [
        ("2022-01-31", "month", 1, "2022-02-28", "2022-02-28", "2022-03-31"),
        ("2022-01-31", "month", 1, "2022-02-27", "2022-01-31", "2022-02-28"),
        ("2020-02-29", "year", 1, "2021-03-01", "2021-02-28", "2022-02-28"),
        ("2020-02-29", "year", 1, "2024-02-29", "2024-02-29", "2025-02-28"),
        ("2022-01-01", "week", 2, "2022-01-31", "2022-01-29", "2022-02-12"),
        ("2022-01-01", "day", 1, "2030-01-01", "2030-01-01", "2030-01-02"),
        ("2022-11-15", "month", 3, "2023-02-14", "2022-11-15", "2023-02-15"),
    ],
)
def test_periods_step_by_the_calendar(anchor: str, interval: str, count: int, now: str, start: str, end: str) -> None:
    assert period_at(at(anchor), interval, count, at(now)) == (at(start), at(end))
