"""Coupons, discounts and tax alter Stripe's total, and not what is billed: the books and the audit agree with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.policy import Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from tests.e2e.audits import audited
from tests.e2e.credits import credit
from tests.e2e.credits import in_stripe as notes_in_stripe
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed, subscribing
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.usage import DAY_CENTS, one_day

CARD = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
OFF = 173
"""20 % of a day, and 20 % of it is also its tax."""


async def coupon(system: System, **terms: Any) -> str:
    made = await system.stripe.v1.coupons.create_async({"percent_off": 20, "duration": "forever", **terms})
    return str(made.id)


async def discounted(system: System, team: str, coupon_id: str, **params: Any) -> str:
    """Create a customer with the discount of a coupon."""
    made = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": team}, **params})
    await system.admin(f"customers/{made.id}/discount", {"coupon": coupon_id})
    return str(made.id)


def in_stripe(record: InvoiceRecord) -> tuple[int | None, int | None, int | None]:
    return record.stripe_total, record.stripe_discount, record.stripe_tax


async def agrees(system: System) -> None:
    await until_rested(system)
    result = await audited(system)
    assert (result.found, result.completed) == (set(), True)


async def test_a_customers_discount_on_our_own_invoice(system: System) -> None:
    """Unpaid, paid at once, and at no price at all."""
    fifth, all_of_it = await coupon(system), await coupon(system, percent_off=100)
    open_one = await one_day(system, "team:open", customer=await discounted(system, "team:open", fifth))
    payer = await discounted(system, "team:payer", fifth, **CARD)
    paid_one = await one_day(system, "team:payer", customer=payer)
    free_one = await one_day(system, "team:free", customer=await discounted(system, "team:free", all_of_it))
    await system.run_period(MAY)
    found = [
        await system.until_state(open_one, InvoiceState.BILLED),
        await system.until_state(paid_one, InvoiceState.PAID),
        await system.until_state(free_one, InvoiceState.PAID),
    ]
    await agrees(system)
    assert {record.amount for record in found} == {DAY_CENTS}
    found = [await system.invoice(record.key) for record in found]
    assert [in_stripe(record) for record in found] == [
        (DAY_CENTS - OFF, OFF, 0),
        (DAY_CENTS - OFF, OFF, 0),
        (0, DAY_CENTS, 0),
    ]
    paid = await system.stripe.v1.invoices.retrieve_async(found[1].stripe_invoice_id)
    assert (paid.subtotal, paid.amount_paid) == (DAY_CENTS, DAY_CENTS - OFF)


async def test_tax_and_a_coupon_that_a_person_adds_to_our_draft(system: System) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"automatic_tax": True})
    await system.start()
    await system.admin("settings", {"tax_percent": 25})
    try:
        berlin = {"country": "DE", "postal_code": "10117"}
        made = await system.stripe.v1.customers.create_async({"address": berlin, **CARD})
        key = await one_day(system, "team:draft", customer=made.id, finalization=Finalization.APPROVAL)
        await system.start_period(MAY)
        draft = await system.until_state(key, InvoiceState.DRAFT)
        discounts = [{"coupon": await coupon(system)}]
        await system.stripe.v1.invoices.update_async(draft.stripe_invoice_id, {"discounts": discounts})
        await system.stripe.v1.invoices.finalize_invoice_async(draft.stripe_invoice_id, {"auto_advance": True})
        await system.until_state(key, InvoiceState.PAID)
    finally:
        await system.admin("settings", {"tax_percent": 0})
    await agrees(system)
    assert in_stripe(await system.invoice(key)) == (DAY_CENTS - OFF + OFF, OFF, OFF)


async def test_a_credit_is_before_discounts_and_stripe_gives_back_their_part(system: System) -> None:
    payer = await discounted(system, "team:back", await coupon(system))
    key = await one_day(system, "team:back", customer=payer)
    await system.add_instance("back-2", "team:back", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    invoice = await system.until_state(key, InvoiceState.BILLED)
    note = await credit(system, invoice, CreditOrder(CreditKind.INSTANCE, "outage", instance_id="back-1"))
    (in_stripe_too,) = await notes_in_stripe(system, invoice)
    assert (note.state, note.amount) == (CreditNoteState.ISSUED, DAY_CENTS)
    assert (in_stripe_too["total"], in_stripe_too["discount_amount"]) == (DAY_CENTS - OFF, OFF)
    await agrees(system)


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def test_a_subscriptions_discount_on_its_own_draft(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:cycle")
    discounts = {"discounts": [{"coupon": await coupon(system)}]}
    await system.stripe.v1.subscriptions.update_async(subscription, discounts)
    await they.clock("2022-06-10T00:10")
    invoice = await only(system, InvoiceState.PAID)
    await agrees(system)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    off = 353  # 20 % of both, rounded
    assert (invoice.amount, stripe.subtotal, stripe.amount_paid) == (DAY_CENTS, FEE + DAY_CENTS, FEE + DAY_CENTS - off)
    assert in_stripe(await system.invoice(invoice.key)) == (FEE + DAY_CENTS - off, off, 0)
