"""Coupons and discounts: they alter the total, never the subtotal or the lines' amounts."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess

CARD = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
BERLIN = {"postal_code": "10117", "country": "DE"}


async def coupon(v1: Any, **terms: Any) -> str:
    return str((await v1.coupons.create_async({"percent_off": 20, "duration": "forever", **terms})).id)


async def refused(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    return caught.value


async def clock(emulator: EmulatorProcess, now: str) -> None:
    await emulator.admin("POST", "clock", {"now": now, "frozen": True})


async def plan(v1: Any) -> list[dict[str, Any]]:
    data = {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Plan"}}
    return [{"price": (await v1.prices.create_async({**data, "recurring": {"interval": "month"}})).id}]


async def test_a_coupon_on_an_invoice(emulator: EmulatorProcess, v1: Any) -> None:
    fifth = await coupon(v1)
    draft = await emulator.draft(333, 334, discounts=[{"coupon": fifth}])
    assert (draft.subtotal, draft.total, draft.amount_due) == (667, 534, 534)
    assert [line.amount for line in draft.lines.data] == [333, 334]
    assert [line.discount_amounts[0].amount for line in draft.lines.data] == [66, 67]
    seen = await v1.invoices.retrieve_async(draft.id, {"expand": ["discounts", "total_discount_amounts.discount"]})
    assert seen.discounts[0].source.coupon == fifth
    assert (seen.total_discount_amounts[0].amount, seen.total_discount_amounts[0].discount.invoice) == (133, draft.id)
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.subtotal, final.total, final.total_excluding_tax, final.amount_due) == (667, 534, 534, 534)
    assert (await v1.coupons.retrieve_async(fifth)).times_redeemed == 1


async def test_discounts_stack_and_are_changed_on_a_draft(emulator: EmulatorProcess, v1: Any) -> None:
    fifth, dollar = await coupon(v1), (await v1.coupons.create_async({"amount_off": 100, "currency": "usd"})).id
    draft = await emulator.draft(1000, -50)
    both = await v1.invoices.update_async(draft.id, {"discounts": [{"coupon": fifth}, {"coupon": dollar}]})
    assert (both.subtotal, both.total, [one.amount for one in both.total_discount_amounts]) == (950, 650, [200, 100])
    kept = {"discounts": [{"discount": both.discounts[1]}]}
    assert (await v1.invoices.update_async(draft.id, kept)).total == 850
    more = await v1.invoices.add_lines_async(draft.id, {"lines": [{"amount": 50, "discountable": False}]})
    assert (more.subtotal, more.total) == (1000, 900)
    assert (await v1.invoices.update_async(draft.id, {"discounts": ""})).total == 1000
    whole = await v1.coupons.create_async({"amount_off": 5000, "currency": "usd"})
    await v1.invoices.remove_lines_async(draft.id, {"lines": [{"id": more.lines.data[2].id, "behavior": "delete"}]})
    free = await v1.invoices.update_async(draft.id, {"discounts": [{"coupon": whole.id}]})
    assert (free.total, (await v1.invoices.finalize_invoice_async(draft.id)).status) == (-50, "paid")


async def test_a_customers_discount_is_inherited_and_taxed_after(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "10"})
    owner = await emulator.customer(address=BERLIN)
    await emulator.admin("POST", f"customers/{owner.id}/discount", {"coupon": await coupon(v1)})
    draft = await emulator.draft(1000, customer=owner.id, automatic_tax={"enabled": True})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.subtotal, final.total_excluding_tax, final.total) == (1000, 800, 880)
    assert final.total_taxes[0].taxable_amount == 800
    plain = await v1.invoices.create_async({"customer": owner.id, "discounts": ""})
    assert plain.discounts == []
    await v1.customers.delete_discount_async(owner.id)
    assert (await v1.customers.retrieve_async(owner.id)).discount is None
    assert (await emulator.draft(1000, customer=owner.id)).total == 1000
    kinds = [event.type for event in await emulator.events(type="customer.discount.*")]
    assert kinds == ["customer.discount.created", "customer.discount.deleted"]


async def test_a_coupon_for_one_invoice_ends_with_it(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    once = await coupon(v1, duration="once")
    await emulator.admin("POST", f"customers/{owner.id}/discount", {"coupon": once})
    assert [(await emulator.draft(1000, customer=owner.id)).total for _ in range(2)] == [800, 1000]


async def test_a_subscriptions_discounts_lower_its_invoices(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"subscription_invoices": True})
    await clock(emulator, "2022-05-01T00:00:00Z")
    owner = await emulator.customer(**CARD)
    terms = {"customer": owner.id, "items": await plan(v1)}
    two_months = await coupon(v1, duration="repeating", duration_in_months=2)
    made = await v1.subscriptions.create_async({**terms, "discounts": [{"coupon": two_months}]})
    for month in ("06", "07"):
        await clock(emulator, f"2022-{month}-01T02:00:00Z")
    listed = (await v1.invoices.list_async({"subscription": made.id})).data[::-1]
    assert [(one.subtotal, one.total) for one in listed] == [(900, 720), (900, 720), (900, 900)]
    assert (await v1.subscriptions.retrieve_async(made.id)).discounts == []
    again = await v1.subscriptions.update_async(made.id, {"discounts": [{"coupon": two_months}]})
    await v1.coupons.delete_async(two_months)
    await clock(emulator, "2022-08-01T02:00:00Z")
    last = (await v1.invoices.list_async({"subscription": made.id})).data[0]
    assert (last.total, last.discounts) == (720, again.discounts)
    assert (await v1.subscriptions.delete_discount_async(made.id)).deleted
    assert (await refused(v1.subscriptions.delete_discount_async(made.id))).code == "resource_missing"


async def test_a_credited_line_gives_back_its_discount_too(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(600, 400, discounts=[{"coupon": await coupon(v1)}])
    paid = await v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    line = {"type": "invoice_line_item", "invoice_line_item": paid.lines.data[0].id, "amount": 300}
    seen = await v1.credit_notes.preview_async({"invoice": draft.id, "lines": [line], "refund_amount": 240})
    assert (seen.subtotal, seen.discount_amount, seen.total) == (300, 60, 240)
    error = await refused(v1.credit_notes.create_async({"invoice": draft.id, "lines": [line], "refund_amount": 300}))
    assert error.param == "credit_amount"


async def test_wrong_coupons_are_refused(emulator: EmulatorProcess, v1: Any) -> None:
    for wrong, param in (
        ({}, "percent_off"),
        ({"percent_off": 20, "amount_off": 5, "currency": "usd"}, "percent_off"),
        ({"amount_off": 5}, "currency"),
        ({"percent_off": 101}, "percent_off"),
        ({"percent_off": 5, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 5, "id": "a b"}, "id"),
    ):
        assert (await refused(v1.coupons.create_async(wrong))).param == param
    first = await coupon(v1, id="SPRING", max_redemptions=1, name="Spring")
    assert (await refused(coupon(v1, id=first))).code == "resource_already_exists"
    await emulator.draft(100, discounts=[{"coupon": first}])
    assert (await v1.coupons.update_async(first, {"name": "Old"})).valid is False
    owner = await emulator.customer()
    create = v1.invoices.create_async
    error = await refused(create({"customer": owner.id, "discounts": [{"coupon": first}]}))
    assert error.code == "coupon_expired"
    error = await refused(create({"customer": owner.id, "discounts": [{"coupon": "none"}]}))
    assert (error.code, error.param) == ("resource_missing", "discounts[0][coupon]")
    euro = (await v1.coupons.create_async({"amount_off": 5, "currency": "eur"})).id
    error = await refused(create({"customer": owner.id, "currency": "usd", "discounts": [{"coupon": euro}]}))
    assert "currency" in str(error)
    assert {one.id for one in (await v1.coupons.list_async()).data} == {first, euro}
    await emulator.admin("POST", f"customers/{owner.id}/discount", {"coupon": "none"}, status=400)
