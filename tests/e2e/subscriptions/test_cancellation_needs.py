"""A cancellation whose customer lacks what Stripe needs for an invoice waits, and is billed once it has that."""

from __future__ import annotations

import pytest

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from storage.accounts.subscription_faults import list_faults
from tests.e2e.subscribers import Subscribers
from tests.support.system import System


@pytest.mark.history("cancellation-waits")
async def test_a_cancellation_waits_for_the_customers_email(system: System, they: Subscribers) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"collection_method": "send_invoice"})
    await system.start()
    await they.clock("2022-05-10")
    customer = await they.customer(attribution_id="team:mail")
    await system.stripe.v1.customers.update_async(
        customer, {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    subscription = await they.subscribe(customer)
    await they.until_windows("team:mail", ("2022-05-10", None))
    await system.add_instance("mail-1", "team:mail", "2022-05-20", "2022-05-21")
    await they.clock("2022-05-25")
    await they.cancel(subscription)
    await they.until_says(subscription, "COLLECTION_METHOD=send_invoice")
    assert await system.invoices() == []
    assert [fault.stripe_subscription_id for fault in await list_faults(system.db)] == [subscription]

    await system.stripe.v1.customers.update_async(customer, {"email": "billing@example.com"})
    (invoice,) = await system.until_settled(1)
    assert (invoice.reason, invoice.subject) == (InvoiceReason.CANCELLATION, subscription)
    assert invoice.state in (InvoiceState.BILLED, InvoiceState.PAID)
    await they.until_rested(subscription)
    assert await list_faults(system.db) == []
