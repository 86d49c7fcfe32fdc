"""A void finds what the one Stripe step has made, by the invoice's key; and an unknown customer has nothing."""

from __future__ import annotations

import pytest
from stripe import StripeClient
from stripe.params import CustomerCreateParams
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.drafts import StripeDraftActivities
from contracts.messages.invoices import StripeInvoiceCreated, StripeInvoiceRef, StripeInvoiceSnapshot

KEY = "2022-05/team:voids/period"


async def void(client: StripeClient, customer: str, *, blocked: bool) -> StripeInvoiceSnapshot:
    ref = StripeInvoiceRef(invoice_key=KEY, stripe_invoice_id="", stripe_customer_id=customer, blocked=blocked)
    return await ActivityEnvironment().run(StripeDraftActivities(client).void, ref)


async def test_a_person_sees_that_stripe_does_not_know_the_customer_before_its_usage_is_released(
    stripe_client: StripeClient,
) -> None:
    with pytest.raises(ApplicationError, match=r"No such customer: 'cus_typo'.*void it once more") as refused:
        await void(stripe_client, "cus_typo", blocked=False)
    assert refused.value.non_retryable
    assert (await void(stripe_client, "cus_typo", blocked=True)).status == "deleted"


async def test_an_invoice_that_was_paid_meanwhile_is_named(stripe_client: StripeClient) -> None:
    """So that Postgres records it."""
    card: CustomerCreateParams = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
    customer = (await stripe_client.v1.customers.create_async(card)).id
    made = await stripe_client.v1.invoices.create_async({"customer": customer, "metadata": {"perdure_invoice": KEY}})
    await stripe_client.v1.invoices.add_lines_async(made.id, {"lines": [{"amount": 500, "description": "usage"}]})
    await stripe_client.v1.invoices.finalize_invoice_async(made.id, {"auto_advance": True})
    with pytest.raises(ApplicationError, match="was paid meanwhile") as refused:
        await void(stripe_client, customer, blocked=True)
    named = StripeInvoiceCreated(invoice_key=KEY, stripe_invoice_id=made.id, stripe_customer_id=customer)
    assert refused.value.details == (named,)
