"""Refunds that a person makes, without a credit note."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess
from tests.stripe_emulator.subscriptions import clock


async def paid(emulator: EmulatorProcess, card: str = "pm_card_visa") -> Any:
    """Return the charge of a paid invoice of 10.00."""
    draft = await emulator.draft(1000)
    await emulator.v1.invoices.pay_async(draft.id, {"payment_method": card})
    return (await emulator.v1.charges.list_async({"limit": 1})).data[0]


async def types(emulator: EmulatorProcess) -> list[str]:
    return [event.type for event in await emulator.events() if "refund" in event.type]


async def test_a_charge_is_refunded_in_parts(emulator: EmulatorProcess, v1: Any) -> None:
    charge = await paid(emulator)
    given = {"payment_intent": charge.payment_intent, "amount": 300, "metadata": {"why": "late"}}
    first = await v1.refunds.create_async({**given, "reason": "requested_by_customer"})
    assert (first.amount, first.currency, first.charge, first.status) == (300, "usd", charge.id, "succeeded")
    assert (first.reason, first.metadata.why) == ("requested_by_customer", "late")
    assert not (await v1.charges.retrieve_async(charge.id)).refunded
    rest = await v1.refunds.create_async({"charge": charge.id})
    after = await v1.charges.retrieve_async(charge.id)
    assert (rest.amount, rest.reason, after.amount_refunded, after.refunded) == (700, None, 1000, True)
    assert await types(emulator) == ["refund.created", "charge.refunded"] * 2
    (event,) = (await emulator.events(type="charge.refunded"))[-1:]
    assert (event.data.object["id"], event.data.previous_attributes.amount_refunded) == (charge.id, 300)
    of_charge = (await v1.refunds.list_async({"charge": charge.id})).data
    assert [one.id for one in of_charge] == [rest.id, first.id]
    (payment,) = (await v1.invoice_payments.list_async()).data
    invoice = await v1.invoices.retrieve_async(payment.invoice)
    assert (invoice.status, invoice.amount_paid, invoice.post_payment_credit_notes_amount) == ("paid", 1000, 0)


async def test_no_more_than_the_charge_is_refunded(emulator: EmulatorProcess, v1: Any) -> None:
    charge = await paid(emulator)
    await v1.refunds.create_async({"charge": charge.id, "amount": 900})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await v1.refunds.create_async({"charge": charge.id, "amount": 101})
    await v1.refunds.create_async({"charge": charge.id, "amount": 100})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.refunds.create_async({"charge": charge.id})
    assert caught.value.code == "charge_already_refunded"
    for wrong in ({}, {"charge": charge.id, "payment_intent": charge.payment_intent}, {"payment_intent": "pi_3none"}):
        with pytest.raises(stripe.InvalidRequestError):
            await v1.refunds.create_async(wrong)


async def test_a_credit_notes_refund_is_named_by_it(emulator: EmulatorProcess, v1: Any) -> None:
    charge = await paid(emulator)
    (payment,) = (await v1.invoice_payments.list_async()).data
    note = await v1.credit_notes.create_async({"invoice": payment.invoice, "amount": 400, "refund_amount": 400})
    (refund,) = (await v1.refunds.list_async({"charge": charge.id})).data
    assert [(one.refund, one.amount_refunded) for one in note.refunds] == [(refund.id, 400)]
    assert await types(emulator) == ["refund.created", "charge.refunded"]
    with pytest.raises(stripe.InvalidRequestError):
        await v1.credit_notes.create_async({"invoice": payment.invoice, "amount": 601, "refund_amount": 601})


@pytest.mark.parametrize(
    ("card", "at_first", "later", "events"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", ["refund.updated", "charge.refund.updated"]),
        ("pm_card_refundFail", "succeeded", "failed", ["refund.updated", "charge.refund.updated", "refund.failed"]),
    ],
)
async def test_the_bank_answers_later(
    emulator: EmulatorProcess, v1: Any, card: str, at_first: str, later: str, events: list[str]
) -> None:
    await clock(emulator, "2022-05-01T00:00:00Z")
    charge = await paid(emulator, card)
    made = await v1.refunds.create_async({"charge": charge.id})
    assert made.status == at_first
    await clock(emulator, "2022-05-01T00:01:00Z")
    assert (await v1.refunds.retrieve_async(made.id)).status == later
    assert (await types(emulator))[2:] == events


async def test_its_metadata_can_change(emulator: EmulatorProcess, v1: Any) -> None:
    made = await v1.refunds.create_async({"charge": (await paid(emulator)).id})
    changed = await v1.refunds.update_async(made.id, {"metadata": {"note": "goodwill"}})
    assert changed.metadata.note == "goodwill"
    assert (await types(emulator))[2:] == ["refund.updated", "charge.refund.updated"]


async def test_charges_are_listed(emulator: EmulatorProcess, v1: Any) -> None:
    first, second = await paid(emulator), await paid(emulator)
    assert [one.id for one in (await v1.charges.list_async()).data] == [second.id, first.id]
    assert [one.id for one in (await v1.charges.list_async({"customer": first.customer})).data] == [first.id]
    of_intent = await v1.charges.list_async({"payment_intent": second.payment_intent})
    assert [one.id for one in of_intent.data] == [second.id]
