"""Refunds that a person makes in Stripe are recorded and shown; they change no state and are counted once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.stripe.payments import StripeRefundActivities
from billing.invoice.credit_notes import CreditDestination
from contracts import workflow_ids
from contracts.messages.events import CatchUpInput
from contracts.messages.payments import RefundsRef
from contracts.names import BILLING_QUEUE, Workflows
from tests.cli.conftest import Perdure
from tests.e2e.credits import amount, credit
from tests.e2e.paid_invoices import KEY, paid, perdure_of, until_refunds
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.metrics import metered
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    async with subscribing(system) as found:
        await system.admin("expire_idempotency_keys", {})  # keys of an earlier test's invoice with the same key
        await found.clock("2022-06-01")
        yield found


async def refund(system: System, stripe_invoice_id: str, amount: int, **given: Any) -> str:
    """Refund a part of the payment of an invoice, as a person does in the dashboard."""
    v1: Any = system.stripe.v1
    payment = (await v1.invoice_payments.list_async({"invoice": stripe_invoice_id})).data[0].payment
    made = await v1.refunds.create_async({"payment_intent": payment.payment_intent, "amount": amount, **given})
    return str(made.id)


async def figures(perdure: Perdure) -> tuple[Any, Any]:
    """Return what the status says was refunded and credited."""
    status = (await perdure("period", "status", "2022-05", "--json")).document
    return status["refunded"], status["credited"]


@pytest.mark.history("refunded")
async def test_a_refund_is_recorded_and_shown(system: System, they: Subscribers, tmp_path: Path) -> None:
    perdure = perdure_of(system, tmp_path)
    stripe_id = await paid(system, they)
    before = await system.invoice(KEY)
    assert (await perdure("invoices", "show", KEY, "--json")).document["refunds"] == []
    await they.clock("2022-06-10")
    made = await refund(system, stripe_id, 200, reason="requested_by_customer")
    await until_refunds(system, None)
    await until_rested(system)
    assert (await perdure("invoices", "show", KEY, "--json")).document["refunds"] == [
        {
            "stripe_refund_id": made,
            "stripe_credit_note_id": None,
            "amount": 200,
            "currency": "usd",
            "reason": "requested_by_customer",
            "status": "succeeded",
            "created_at": "2022-06-10T00:00:00.000000Z",
        }
    ]
    shown = (await perdure("invoices", "show", KEY)).out
    assert "Refunded in Stripe, without a credit note, requested_by_customer: 2.00 USD, succeeded" in shown
    assert "paid, refunded" in (await perdure("invoices", "list")).out
    assert await figures(perdure) == ({"usd": 200}, {})
    assert "Refunded in Stripe without a credit note: 2.00 USD" in (await perdure("period", "status", "2022-05")).out
    after = await system.invoice(KEY)
    assert (after.state, after.amount, after.updated_at) == (before.state, before.amount, before.updated_at)


async def test_the_refund_of_a_credit_note_is_counted_once(system: System, they: Subscribers, tmp_path: Path) -> None:
    perdure = perdure_of(system, tmp_path)
    stripe_id = await paid(system, they)
    order = amount(100, "late", settle_to=CreditDestination.REFUND)
    await credit(system, await system.invoice(KEY), order)
    v1: Any = system.stripe.v1

    async def issued() -> Any:
        return (await v1.credit_notes.list_async({"invoice": stripe_id})).data

    (note,) = await until(issued)
    (ours,) = await until_refunds(system, note.id)
    assert (ours.amount, ours.is_outside) == (100, False)
    await until_rested(system)
    assert await figures(perdure) == ({}, {"usd": 100})
    assert "refunded" not in (await perdure("invoices", "list")).out
    assert f"Refunded by credit note {note.id}: 1.00 USD" in (await perdure("invoices", "show", KEY)).out


async def test_one_that_fails_gave_nothing_back(system: System, they: Subscribers, tmp_path: Path) -> None:
    perdure = perdure_of(system, tmp_path)
    stripe_id = await paid(system, they, card="pm_card_refundFail")
    await refund(system, stripe_id, 200)
    await until_refunds(system, None)
    assert await figures(perdure) == ({"usd": 200}, {})
    await they.clock("2022-06-02")

    async def failed() -> bool:
        return [each.status for each in await until_refunds(system, None)] == ["failed"]

    await until(failed)
    assert await figures(perdure) == ({}, {})


async def test_those_that_the_webhook_missed_are_caught_up_with(system: System, they: Subscribers) -> None:
    stripe_id = await paid(system, they, card="pm_card_pendingRefund")
    await unheard(system)
    await refund(system, stripe_id, 200)
    await refund(system, stripe_id, 300)
    await they.clock("2022-06-05")
    await system.client.execute_workflow(
        Workflows.EVENTS_CATCH_UP, CatchUpInput(), id=workflow_ids.EVENTS_CATCH_UP, task_queue=BILLING_QUEUE
    )
    found = await until_refunds(system, None, None)
    assert sorted((each.amount, each.status) for each in found) == [(200, "succeeded"), (300, "succeeded")]


async def test_an_event_with_nothing_but_the_refunds_id_suffices(system: System, they: Subscribers) -> None:
    stripe_id = await paid(system, they)
    await system.admin("webhook_faults", {"match": {"type": "^charge"}, "action": "drop", "times": None})
    await system.admin("webhook_faults", {"match": {"type": "^refund"}, "action": "strip", "times": None})
    await refund(system, stripe_id, 200)
    await until_refunds(system, None)


@pytest.mark.history("refunded-foreign")
async def test_a_refund_of_something_else_is_counted_and_left_alone(system: System, they: Subscribers) -> None:
    await system.stop()
    meter = await metered(system)
    await system.start()
    v1: Any = system.stripe.v1
    invoice = await v1.invoices.create_async({"customer": await they.customer(), "currency": "usd"})
    await v1.invoices.add_lines_async(invoice.id, {"lines": [{"amount": 900, "description": "A shirt"}]})
    await v1.invoices.pay_async(invoice.id, {"payment_method": "pm_card_visa"})
    await refund(system, invoice.id, 900)
    charge = (await v1.charges.list_async({"limit": 1})).data[0].id
    handle = system.client.get_workflow_handle(workflow_ids.refunds(charge))

    async def there() -> bool:
        try:
            return bool(await handle.describe())
        except RPCError:
            return False

    await until(there)
    assert (await handle.result())["invoice_key"] is None
    assert await meter.count("perdure_foreign_refunds") >= 1


async def test_refunds_of_the_other_mode_are_refused(system: System, they: Subscribers) -> None:
    stripe_id = await paid(system, they, "mode")
    made = await refund(system, stripe_id, 200)
    charge = str((await system.stripe.v1.refunds.retrieve_async(made)).charge)
    for ref in (RefundsRef(stripe_charge_id=charge), RefundsRef(stripe_refund_id=made)):
        ours = await ActivityEnvironment().run(StripeRefundActivities(system.stripe, "test").list_all, ref)
        assert ours.stripe_invoice_ids == [stripe_id]
        with pytest.raises(ApplicationError, match="but STRIPE_MODE is live: refused"):
            await ActivityEnvironment().run(StripeRefundActivities(system.stripe, "live").list_all, ref)
