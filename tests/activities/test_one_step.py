"""One step creates and finalizes an invoice once, whatever happens between its requests and between its attempts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.invoices import StripeInvoiceActivities
from activities.stripe.invoicing.one_step import StripeBillingActivities
from contracts.messages.invoices import StripeInvoiceOrder, StripeInvoiceRef, StripeLine
from contracts.messages.one_step.billed import BillResult, StripeInvoiceBilled
from tests.activities.conftest import Admin

NOW = datetime.now(UTC)
_NUMBERS = count(1)


async def an_order(client: StripeClient, name: str, lines: int = 2, **changes: Any) -> StripeInvoiceOrder:
    customer = await client.v1.customers.create_async({"email": "billing@example.com"})
    key = f"2022-05/team:{name}-{next(_NUMBERS)}/period"
    return StripeInvoiceOrder(
        **{
            "invoice_key": key,
            "attribution_id": f"team:{name}",
            "stripe_customer_id": customer.id,
            "currency": "usd",
            "amount": 100 * lines,
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "description": "usage",
            "metadata": {"perdure_invoice": key, "report_id": "reports/x"},
            "lines": [
                StripeLine(line_id=f"{key}#{n}", amount=100, description="run", start=NOW, end=NOW)
                for n in range(1, lines + 1)
            ],
            "cutoff": NOW - timedelta(hours=1),
            **changes,
        }
    )


async def bill(client: StripeClient, order: StripeInvoiceOrder, attempt: int = 1) -> BillResult:
    env = ActivityEnvironment()
    env.info = replace(env.info, attempt=attempt)
    return await env.run(StripeBillingActivities(client).bill, order)


async def invoices_of(client: StripeClient, order: StripeInvoiceOrder) -> list[Any]:
    assert order.stripe_customer_id is not None
    return (await client.v1.invoices.list_async({"customer": order.stripe_customer_id})).data


def billed(result: BillResult) -> StripeInvoiceBilled:
    assert result.billed is not None, result.unusual
    return result.billed


async def test_its_answer_is_what_fetching_the_invoice_returns(stripe_client: StripeClient) -> None:
    """With all lines: Stripe's answer holds the first ten."""
    order = await an_order(stripe_client, "whole", lines=105)
    answer = billed(await bill(stripe_client, order))
    ref = StripeInvoiceRef(invoice_key=order.invoice_key, stripe_invoice_id=answer.created.stripe_invoice_id)
    fetched = await ActivityEnvironment().run(StripeInvoiceActivities(stripe_client).retrieve, ref)
    assert answer.snapshot == fetched
    assert (fetched.status, fetched.subtotal, len(fetched.lines)) == ("open", 10_500, 105)


@pytest.mark.parametrize("path", ["/v1/invoices$", "add_lines", "finalize"])
async def test_after_a_lost_answer_the_next_attempt_goes_on(
    stripe_client: StripeClient, admin: Admin, path: str
) -> None:
    order = await an_order(stripe_client, "lost")
    await admin("faults", {"match": {"method": "POST", "path": path}, "action": "lost_response"})
    with pytest.raises(ApplicationError) as failed:
        await bill(stripe_client, order)
    assert not failed.value.non_retryable
    answer = billed(await bill(stripe_client, order, attempt=2))
    # Whether Stripe's event of the finalization has come and gone is unknown then: nobody waits for it.
    assert answer.snapshot.found_finalized is (path == "finalize")
    assert [(each.status, each.subtotal) for each in await invoices_of(stripe_client, order)] == [("open", 200)]


@pytest.mark.parametrize("attempt", [2, 1], ids=["the next attempt", "another run"])
async def test_a_draft_that_was_edited_between_attempts_is_not_finalized(
    stripe_client: StripeClient, admin: Admin, attempt: int
) -> None:
    order = await an_order(stripe_client, "edited")
    await admin("faults", {"match": {"path": "finalize"}, "action": "503"})
    with pytest.raises(ApplicationError):
        await bill(stripe_client, order)
    (draft,) = await invoices_of(stripe_client, order)
    await stripe_client.v1.invoices.add_lines_async(draft.id, {"lines": [{"amount": -50, "description": "a favour"}]})
    result = await bill(stripe_client, order, attempt)
    assert (result.billed, "was edited in Stripe" in result.unusual) == (None, True)
    assert [each.status for each in await invoices_of(stripe_client, order)] == ["draft"]


@pytest.mark.parametrize("refused", ["create", "add_lines", "finalize"])
async def test_what_stripe_refuses_is_for_the_separate_steps(stripe_client: StripeClient, refused: str) -> None:
    order = await an_order(stripe_client, "refused")
    if refused == "create":
        order = order.model_copy(update={"stripe_customer_id": "cus_nobody"})
    elif refused == "add_lines":
        order = order.model_copy(update={"lines": [order.lines[0].model_copy(update={"amount": 10**12})]})
    else:
        await stripe_client.v1.customers.update_async(str(order.stripe_customer_id), {"email": ""})
    result = await bill(stripe_client, order)
    assert (result.billed, result.unusual.startswith("Stripe: ")) == (None, True)


@pytest.mark.parametrize("path", ["/v1/invoices$", "add_lines", "finalize"])
async def test_a_failure_that_stripe_keeps_is_for_the_separate_steps(
    stripe_client: StripeClient, admin: Admin, path: str
) -> None:
    order = await an_order(stripe_client, "kept")
    await admin("faults", {"match": {"method": "POST", "path": path}, "action": "500"})
    with pytest.raises(ApplicationError):
        await bill(stripe_client, order)
    result = await bill(stripe_client, order, attempt=2)
    assert (result.billed, result.unusual.startswith("Stripe: ")) == (None, True)
    assert {each.status for each in await invoices_of(stripe_client, order)} <= {"draft"}


async def test_after_a_day_an_existing_invoice_is_found_on_any_page(stripe_client: StripeClient) -> None:
    order = await an_order(stripe_client, "paged", cutoff=NOW - timedelta(days=3))
    customer = str(order.stripe_customer_id)
    made = await stripe_client.v1.invoices.create_async({"customer": customer, "metadata": order.metadata})
    for _ in range(100):
        await stripe_client.v1.invoices.create_async({"customer": customer})
    result = await bill(stripe_client, order)
    assert result == BillResult(unusual="an earlier attempt created the invoice")
    await stripe_client.v1.invoices.delete_async(made.id)
    assert billed(await bill(stripe_client, order)).snapshot.status == "open"
