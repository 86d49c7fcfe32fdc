"""Invoices in Stripe as people and other workers leave them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.stripe.invoices import StripeInvoiceActivities
from contracts import workflow_ids
from contracts.messages.invoices import (
    InvoiceRef,
    StripeEvent,
    StripeInvoiceOrder,
    StripeInvoiceRef,
    StripeInvoiceSnapshot,
    StripeLine,
)
from contracts.names import BILLING_QUEUE, Signals, Workflows
from tests.support.system import System


async def wake(system: System, key: str) -> Any:
    """Signal the invoice's workflow like the webhook, starting it if it rests."""
    return await system.client.start_workflow(
        Workflows.INVOICE,
        InvoiceRef(invoice_key=key),
        id=workflow_ids.invoice(key),
        task_queue=BILLING_QUEUE,
        start_signal=Signals.STRIPE_EVENT,
        start_signal_args=[StripeEvent(event_id="evt", type="invoice.deleted", created=datetime.now(UTC))],
    )


async def pending_failure(handle: Any) -> str | None:
    """Return the type and message of the last failure of an activity that is being retried."""
    for activity in (await handle.describe()).raw_description.pending_activities:
        failure = activity.last_failure
        if failure.message:
            return f"{failure.application_failure_info.type}: {failure.message}"
    return None


async def retrieve(system: System, invoice: str, customer: str | None) -> StripeInvoiceSnapshot:
    ref = StripeInvoiceRef(invoice_key="2022-05/team:x/period", stripe_invoice_id=invoice, stripe_customer_id=customer)
    return await ActivityEnvironment().run(StripeInvoiceActivities(system.stripe).retrieve, ref)


async def add_line(system: System, invoice: str | None, *amounts: int) -> list[str]:
    """Add lines as a person does in the dashboard, and return their ids."""
    made = await system.stripe.v1.invoices.add_lines_async(
        invoice, {"lines": [{"amount": amount, "description": "goodwill"} for amount in amounts]}
    )
    return [line.id for line in made.lines.data if line.description == "goodwill"]


def order_of(customer: str, key: str, report: str = "sha-1", **changes: Any) -> StripeInvoiceOrder:
    """Return an order of two lines for usage of long ago."""
    may = datetime(2022, 5, 1, tzinfo=UTC)
    lines = [
        StripeLine(line_id=f"{key}#{n}", amount=100 * n, description=f"line {n}", start=may, end=may) for n in (1, 2)
    ]
    values: dict[str, Any] = {
        "invoice_key": key,
        "attribution_id": "team:x",
        "stripe_customer_id": customer,
        "currency": "usd",
        "amount": 300,
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "description": "Workspace usage",
        "metadata": {"perdure_invoice": key, "report_id": f"reports/2022-05/team:x/{report}.jsonl.gz"},
        "lines": lines,
        "cutoff": datetime(2022, 6, 1, tzinfo=UTC),
    }
    return StripeInvoiceOrder(**{**values, **changes})


async def create(system: System, order: StripeInvoiceOrder) -> str:
    made = await ActivityEnvironment().run(StripeInvoiceActivities(system.stripe).create, order)
    return made.stripe_invoice_id
