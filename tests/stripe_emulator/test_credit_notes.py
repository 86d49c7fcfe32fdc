from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess


async def test_before_payment_it_lowers_what_is_due(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(600, 400)
    with pytest.raises(stripe.InvalidRequestError):
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 100})
    final = await v1.invoices.finalize_invoice_async(draft.id)
    line = final.lines.data[0].id
    lines = [{"type": "invoice_line_item", "invoice_line_item": line, "amount": 300}]
    note = await v1.credit_notes.create_async({"invoice": draft.id, "lines": lines, "reason": "order_change"})
    assert (note.total, note.type, note.status, note.number) == (300, "pre_payment", "issued", f"{final.number}-CN-01")
    after = await v1.invoices.retrieve_async(draft.id)
    assert (after.total, after.amount_remaining, after.pre_payment_credit_notes_amount) == (1000, 700, 300)
    assert (await v1.credit_notes.void_credit_note_async(note.id)).status == "void"
    assert (await v1.invoices.retrieve_async(draft.id)).amount_remaining == 1000
    await v1.credit_notes.create_async({"invoice": draft.id, "amount": 1000})
    assert (await v1.invoices.retrieve_async(draft.id)).status == "paid"
    listed = await v1.credit_notes.list_async({"invoice": draft.id})
    assert [one.total for one in listed.data] == [1000, 300]
    kinds = [event.type for event in await emulator.events(type="credit_note.*")]
    assert kinds == ["credit_note.created", "credit_note.voided", "credit_note.created"]


async def test_after_payment_it_credits_the_customer(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000)
    await v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 300})
    assert caught.value.param == "credit_amount"
    note = await v1.credit_notes.create_async(
        {"invoice": draft.id, "amount": 300, "credit_amount": 200, "out_of_band_amount": 100, "metadata": {"a": "b"}}
    )
    assert (note.type, note.post_payment_amount, note.metadata.a) == ("post_payment", 300, "b")
    assert (await v1.customers.retrieve_async(draft.customer)).balance == -200
    assert (await v1.invoices.retrieve_async(draft.id)).post_payment_credit_notes_amount == 300
    with pytest.raises(stripe.InvalidRequestError, match="exceed"):
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 701, "credit_amount": 701})
    assert (await v1.credit_notes.update_async(note.id, {"memo": "sorry"})).memo == "sorry"


async def test_what_was_charged_can_be_refunded(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000)
    await v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    params = {"invoice": draft.id, "amount": 700, "refund_amount": 400, "credit_amount": 200, "out_of_band_amount": 100}
    seen = await v1.credit_notes.preview_async(params)
    assert (seen.total, (await v1.credit_notes.list_async()).data) == (700, [])
    note = await v1.credit_notes.create_async(params)
    assert (note.type, note.post_payment_amount, note.refunds[0].amount_refunded) == ("post_payment", 700, 400)
    refund = await v1.refunds.retrieve_async(note.refunds[0].refund)
    assert (refund.amount, refund.status) == (400, "succeeded")
    charge = await v1.charges.retrieve_async(refund.charge)
    assert (charge.amount_refunded, charge.refunded) == (400, False)
    assert (await v1.refunds.list_async({"charge": charge.id})).data[0].id == refund.id
    after = await v1.invoices.retrieve_async(draft.id)
    assert (after.status, after.amount_paid, after.post_payment_credit_notes_amount) == ("paid", 1000, 700)
    assert (await v1.customers.retrieve_async(draft.customer)).balance == -200
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 300, "refund_amount": 200})
    assert caught.value.param == "credit_amount"


async def test_what_was_not_charged_cannot_be_refunded(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(1000)
    await v1.invoices.pay_async(draft.id, {"paid_out_of_band": True})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 300, "refund_amount": 300})
    assert caught.value.param == "refund_amount"
    assert (await v1.invoices.retrieve_async(draft.id)).post_payment_credit_notes_amount == 0


async def test_no_more_is_refunded_than_was_charged(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer(balance=-300)
    draft = await emulator.draft(1000, customer=owner.id)
    await v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 701, "refund_amount": 701})
    assert caught.value.param == "refund_amount"
    await v1.credit_notes.create_async({"invoice": draft.id, "amount": 700, "refund_amount": 700})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.credit_notes.create_async({"invoice": draft.id, "amount": 1, "refund_amount": 1})
    assert caught.value.code == "charge_already_refunded"
