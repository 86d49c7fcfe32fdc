from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess, WebhookSink


async def paid(emulator: EmulatorProcess, *amounts: int, **params: Any) -> Any:
    draft = await emulator.draft(*amounts, **params)
    return await emulator.v1.invoices.pay_async(draft.id, {"payment_method": "pm_card_visa"})


async def test_a_paid_invoice_has_a_payment_with_its_charge(emulator: EmulatorProcess, v1: Any) -> None:
    invoice = await paid(emulator, 600, 400)
    other = await paid(emulator, 900)
    (payment,) = (await v1.invoice_payments.list_async({"invoice": invoice.id})).data
    assert (payment.amount_paid, payment.currency, payment.status, payment.is_default) == (1000, "usd", "paid", True)
    assert (payment.payment.type, payment.status_transitions.paid_at) == (
        "payment_intent",
        invoice.status_transitions.paid_at,
    )
    wanted = {"type": "payment_intent", "payment_intent": payment.payment.payment_intent}
    assert [one.invoice for one in (await v1.invoice_payments.list_async({"payment": wanted})).data] == [invoice.id]
    page = await v1.invoice_payments.list_async({"status": "paid", "limit": 1})
    assert [one.invoice async for one in page.auto_paging_iter()] == [other.id, invoice.id]
    assert (await v1.invoice_payments.list_async({"status": "open"})).data == []
    assert (await v1.invoice_payments.retrieve_async(payment.id)).invoice == invoice.id
    expanded = await v1.invoices.retrieve_async(invoice.id, {"expand": ["payments"]})
    assert [one.id for one in expanded.payments.data] == [payment.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.invoice_payments.list_async({"payment": {"type": "payment_intent", "charge": "ch_1"}})
    assert caught.value.code == "parameter_unknown"


async def test_what_stripe_did_not_charge_has_no_payment(emulator: EmulatorProcess, v1: Any) -> None:
    outside = await emulator.draft(900)
    await v1.invoices.pay_async(outside.id, {"paid_out_of_band": True})
    nothing = await emulator.draft()
    assert (await v1.invoices.finalize_invoice_async(nothing.id)).status == "paid"
    failed = await emulator.draft(900)
    with pytest.raises(stripe.CardError):
        await v1.invoices.pay_async(failed.id, {"payment_method": "pm_card_chargeCustomerFail"})
    assert (await v1.invoice_payments.list_async()).data == []
    for invoice in (outside, nothing, failed):
        error = await emulator.admin("POST", "disputes", {"invoice": invoice.id}, status=400)
        assert "no charge" in error["error"]


async def test_a_dispute_is_opened_and_closed(emulator: EmulatorProcess, receiver: WebhookSink, v1: Any) -> None:
    await receiver.register(emulator, "charge.dispute.created", "charge.dispute.closed")
    invoice = await paid(emulator, 1000)
    opened = await emulator.admin("POST", "disputes", {"invoice": invoice.id})
    dispute = await v1.disputes.retrieve_async(opened["id"])
    assert (dispute.amount, dispute.currency, dispute.reason, dispute.status, dispute.livemode) == (
        1000,
        "usd",
        "fraudulent",
        "needs_response",
        False,
    )
    charge = await v1.charges.retrieve_async(dispute.charge)
    assert (charge.amount, charge.disputed, charge.payment_intent) == (1000, True, dispute.payment_intent)
    payment = {"type": "payment_intent", "payment_intent": dispute.payment_intent}
    assert (await v1.invoice_payments.list_async({"payment": payment})).data[0].invoice == invoice.id
    closed = await emulator.admin("POST", f"disputes/{dispute.id}/close", {"status": "lost"})
    assert closed["status"] == "lost"
    assert (await v1.disputes.list_async({"charge": charge.id})).data[0].status == "lost"
    assert (await v1.disputes.list_async({"payment_intent": "pi_other"})).data == []
    events = await emulator.events(type="charge.dispute.*")
    kinds = ["charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"]
    assert [event.type for event in events] == kinds
    assert [event.data.object.status for event in events] == ["needs_response", "lost", "lost"]
    assert await emulator.admin("POST", "flush_webhooks") == {"pending": 0}
    assert sorted(receiver.types) == ["charge.dispute.closed", "charge.dispute.created"]


@pytest.mark.parametrize(
    "wrong",
    [{"amount": 1001}, {"amount": 0}, {"amount": "ten"}, {"reason": "mood"}, {"invoice": "in_none"}, {"colour": 1}],
)
async def test_wrong_disputes_are_refused(emulator: EmulatorProcess, v1: Any, wrong: dict[str, Any]) -> None:
    invoice = await paid(emulator, 1000)
    await emulator.admin("POST", "disputes", {"invoice": invoice.id, **wrong}, status=400)
    assert (await v1.disputes.list_async()).data == []
    assert (await emulator.admin("POST", "disputes", {"invoice": invoice.id, "amount": 250}))["amount"] == 250


async def test_a_dispute_is_opened_and_closed_once(emulator: EmulatorProcess) -> None:
    invoice = await paid(emulator, 1000)
    opened = await emulator.admin("POST", "disputes", {"invoice": invoice.id})
    await emulator.admin("POST", "disputes", {"invoice": invoice.id}, status=400)
    close = f"disputes/{opened['id']}/close"
    await emulator.admin("POST", close, {"status": "settled"}, status=400)
    await emulator.admin("POST", close, {"status": "won"})
    await emulator.admin("POST", close, {"status": "lost"}, status=400)
    await emulator.admin("POST", "disputes/du_none/close", {"status": "won"}, status=400)
