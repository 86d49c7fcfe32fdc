"""One step creates and finalizes an invoice once, whatever happens between its requests and between its attempts."""

from __future__ import annotations

import asyncio
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
from tests.support.until import until

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


def an_attempt(number: int = 1, waited: timedelta = timedelta()) -> ActivityEnvironment:
    env = ActivityEnvironment()
    env.info = replace(env.info, attempt=number, scheduled_time=datetime.now(UTC) - waited)
    return env


async def bill(client: StripeClient, order: StripeInvoiceOrder) -> BillResult:
    return await an_attempt().run(StripeBillingActivities(client).bill, order)


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


@pytest.mark.parametrize(
    ("number", "waited"), [(2, timedelta()), (1, timedelta(minutes=5))], ids=["later attempt", "long wait"]
)
async def test_an_order_that_may_be_outdated_is_not_followed(
    stripe_client: StripeClient, number: int, waited: timedelta
) -> None:
    order = await an_order(stripe_client, "outdated")
    result = await an_attempt(number, waited).run(StripeBillingActivities(stripe_client).bill, order)
    assert (result.billed, bool(result.unusual)) == (None, True)
    assert await invoices_of(stripe_client, order) == []


@pytest.mark.parametrize(("path", "status"), [("add_lines", "draft"), ("finalize", "open")])
async def test_a_step_that_is_cancelled_finalizes_nothing_but_ends_its_request(
    stripe_client: StripeClient, admin: Admin, path: str, status: str
) -> None:
    order = await an_order(stripe_client, "cancelled")
    await admin("faults", {"match": {"path": path}, "action": "slow", "seconds": 1.0})
    attempt = an_attempt()
    step = asyncio.create_task(attempt.run(StripeBillingActivities(stripe_client).bill, order))

    async def requested() -> bool:
        return any(rule["hits"] for rule in (await admin("faults", method="GET"))["faults"])

    await until(requested)
    attempt.cancel()
    result = await step
    assert (result.billed is None) is (status == "draft"), result
    assert [each.status for each in await invoices_of(stripe_client, order)] == [status]


@pytest.mark.parametrize("path", ["/v1/invoices$", "add_lines", "finalize"])
async def test_what_another_run_has_made_is_for_the_separate_steps(
    stripe_client: StripeClient, admin: Admin, path: str
) -> None:
    """A person may have edited the draft meanwhile; and nobody knows whether Stripe's event has come and gone."""
    order = await an_order(stripe_client, "lost")
    await admin("faults", {"match": {"method": "POST", "path": path}, "action": "lost_response"})
    with pytest.raises(ApplicationError) as failed:
        await bill(stripe_client, order)
    assert not failed.value.non_retryable
    (made,) = await invoices_of(stripe_client, order)
    result = await bill(stripe_client, order)
    assert (result.billed, result.unusual) == (None, f"an earlier attempt created {made.id}")
    assert result.left is not None
    assert result.left.stripe_invoice_id == made.id
    assert [each.status for each in await invoices_of(stripe_client, order)] == [made.status]


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
    known = [result.left.stripe_invoice_id] if result.left else []
    made = [] if refused == "create" else await invoices_of(stripe_client, order)
    assert known == [each.id for each in made]


async def test_a_failure_that_stripe_keeps_is_for_the_separate_steps(stripe_client: StripeClient, admin: Admin) -> None:
    order = await an_order(stripe_client, "kept")
    await admin("faults", {"match": {"method": "POST", "path": "/v1/invoices$"}, "action": "500"})
    with pytest.raises(ApplicationError):
        await bill(stripe_client, order)
    result = await bill(stripe_client, order)
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
