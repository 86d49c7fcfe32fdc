"""The amounts that Stripe charges: steps and maxima of currencies (https://docs.stripe.com/currencies)."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess

CARD = {"payment_method": "pm_card_visa"}


async def refused(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    ("currency", "charged", "off"),
    [("isk", 283_300, 283_262), ("ugx", 100, 101), ("kwd", 7560, 7565), ("bhd", -10, -5), ("jpy", 7, None)],
)
async def test_lines_are_multiples_of_the_step(
    emulator: EmulatorProcess, v1: Any, currency: str, charged: int, off: int | None
) -> None:
    draft = await emulator.draft(charged, currency=currency)
    assert draft.total == charged
    if off is not None:
        error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [{"amount": off, "description": "x"}]}))
        assert (error.param, "divisible by" in str(error)) == ("lines[0][amount]", True)
        assert currency.upper() in str(error)
        item = {"customer": draft.customer, "currency": currency, "amount": off}
        assert (await refused(v1.invoice_items.create_async(item))).param == "amount"


async def test_the_code_for_whole_units_is_stripes(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(100, currency="isk")
    lines = {"lines": [{"id": draft.lines.data[0].id, "amount": 150}]}
    error = await refused(v1.invoices.update_lines_async(draft.id, lines))
    assert error.code == "invalid_charge_amount_no_decimal_compatible"


@pytest.mark.parametrize(
    ("currency", "largest"),
    [("usd", 99_999_999), ("kwd", 99_999_990), ("inr", 999_999_999), ("cop", 9_999_999_999), ("idr", 999_999_999_999)],
)
async def test_no_more_than_the_maximum(emulator: EmulatorProcess, v1: Any, currency: str, largest: int) -> None:
    draft = await emulator.draft(largest, currency=currency)
    above = {"amount": largest + 10, "description": "x"}
    assert (await refused(v1.invoices.add_lines_async(draft.id, {"lines": [above]}))).code == "amount_too_large"
    more = await v1.invoices.add_lines_async(draft.id, {"lines": [{"amount": 10, "description": "x"}]})
    assert (await refused(v1.invoices.finalize_invoice_async(more.id))).code == "amount_too_large"
    kept = await v1.invoices.retrieve_async(draft.id)
    assert (kept.status, kept.last_finalization_error.code) == ("draft", "amount_too_large")
    assert (await emulator.events())[-1].type == "invoice.finalization_failed"


async def test_credits_and_refunds_are_multiples_too(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(7560, currency="kwd")
    paid = await v1.invoices.pay_async(draft.id, CARD)
    off = {"invoice": draft.id, "amount": 1005, "refund_amount": 1005}
    assert (await refused(v1.credit_notes.create_async(off))).param == "amount"
    line = {"type": "invoice_line_item", "invoice_line_item": paid.lines.data[0].id, "amount": 15}
    by_line = {"invoice": draft.id, "lines": [line], "credit_amount": 15}
    assert (await refused(v1.credit_notes.create_async(by_line))).param == "lines[0][amount]"
    charge = (await v1.charges.list_async()).data[0].id
    assert (await refused(v1.refunds.create_async({"charge": charge, "amount": 1005}))).param == "amount"
    assert (await v1.refunds.create_async({"charge": charge, "amount": 1000})).amount == 1000


async def test_what_tax_makes_of_it_is_rounded_and_the_difference_goes_to_the_balance(
    emulator: EmulatorProcess, v1: Any
) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "21"})
    owner = await emulator.customer(address={"country": "KW"})
    draft = await emulator.draft(1040, customer=owner.id, currency="kwd", automatic_tax={"enabled": True})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.total, final.amount_due, final.ending_balance) == (1258, 1260, -2)


async def test_a_share_of_a_period_is_rounded(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"subscription_invoices": True})
    await emulator.admin("POST", "clock", {"now": "2022-05-11T00:00:00Z", "frozen": True})
    price = {"currency": "isk", "unit_amount": 100_000, "product_data": {"name": "Plan"}}
    made = await v1.prices.create_async({**price, "recurring": {"interval": "month"}})
    owner = await emulator.customer(invoice_settings={"default_payment_method": "pm_card_visa"})
    anchor = {"billing_cycle_anchor": 1_654_041_600}  # 1 June
    subscription = await v1.subscriptions.create_async({"customer": owner.id, "items": [{"price": made.id}], **anchor})
    assert (await v1.invoices.retrieve_async(subscription.latest_invoice)).total == 67_700
