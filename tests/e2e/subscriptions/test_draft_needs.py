"""Usage goes on a subscription's draft only once its customer has what an invoice needs; until then it waits, shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import Signals
from storage.periods import periods
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed, subscribing
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS

BERLIN = {"country": "DE", "postal_code": "10117"}


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def needing(system: System, **settings: object) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update=settings)
    await system.start()


async def waiting(system: System, period: str) -> dict[str, str]:
    """Return why accounts wait, by account."""
    return {each.subject: each.reason for each in (await periods.period_progress(system.db, period)).blocked}


async def draft_that_waits(system: System, subscription: str) -> tuple[Any, Any]:
    """Wait until the workflow of the subscription's newest draft waits for its customer; return both."""

    async def waits() -> tuple[Any, Any] | None:
        found = await system.stripe.v1.invoices.list_async({"subscription": subscription, "limit": 1})
        workflow = system.client.get_workflow_handle(workflow_ids.stripe_invoice(found.data[0].id))
        try:
            if (await workflow.describe()).status != WorkflowExecutionStatus.RUNNING:
                return None
            details = str(await workflow.query("__temporal_workflow_metadata"))
        except RPCError:  # its event has not arrived yet
            return None
        return (found.data[0], workflow) if "**No usage**" in details else None

    return await until(waits)


@pytest.mark.history("draft-waits")
async def test_a_draft_waits_for_the_customers_address(system: System, they: Subscribers) -> None:
    await needing(system, automatic_tax=True)
    subscription = await subscribed(system, they, "team:lost")
    made = await system.stripe.v1.subscriptions.retrieve_async(subscription)
    # Without any address, the country of the card would do.
    await system.stripe.v1.customers.update_async(str(made.customer), {"address": {"country": "US"}})
    await they.clock("2022-06-10T00:10")
    draft, workflow = await draft_that_waits(system, subscription)
    assert (draft.status, draft.subtotal) == ("draft", FEE)
    assert await system.invoices() == []
    why = (await waiting(system, "2022-06"))["team:lost"]
    assert "AUTOMATIC_TAX=true" in why
    assert "goes on the subscription's next invoice" in why

    await system.stripe.v1.customers.update_async(draft.customer, {"address": BERLIN})
    await workflow.signal(Signals.RETRY)
    invoice = await only(system, InvoiceState.DRAFT, InvoiceState.FINALIZED, InvoiceState.BILLED, InvoiceState.PAID)
    assert (invoice.stripe_invoice_id, invoice.amount) == (draft.id, DAY_CENTS)
    await they.clock("2022-06-10T02:00")
    await system.until_state(invoice.key, InvoiceState.PAID)
    assert (await system.stripe.v1.invoices.retrieve_async(draft.id)).subtotal == DAY_CENTS + FEE
    assert await waiting(system, "2022-06") == {}


async def test_usage_that_missed_its_draft_goes_on_the_next_by_itself(system: System, they: Subscribers) -> None:
    await needing(system, collection_method="send_invoice")
    subscription = await subscribed(system, they, "team:silent")
    await they.clock("2022-06-10T00:10")
    draft, workflow = await draft_that_waits(system, subscription)
    await they.clock("2022-06-10T02:00")
    await workflow.signal(Signals.RETRY)
    await until_rested(system)
    assert (await workflow.describe()).status == WorkflowExecutionStatus.COMPLETED
    gone = await system.stripe.v1.invoices.retrieve_async(draft.id)
    assert (gone.status, gone.subtotal) == ("paid", FEE)
    assert set(await waiting(system, "2022-06")) == {"team:silent"}

    await system.stripe.v1.customers.update_async(draft.customer, {"email": "billing@example.com"})
    await they.clock("2022-07-10T00:10")
    invoice = await only(system, InvoiceState.PAID)
    assert (invoice.billing_period, invoice.amount) == ("2022-07", DAY_CENTS)
    assert await waiting(system, "2022-06") == {}


async def test_a_draft_takes_the_usage_when_its_customer_changes(system: System, they: Subscribers) -> None:
    await needing(system, collection_method="send_invoice")
    subscription = await subscribed(system, they, "team:heard")
    await they.clock("2022-06-10T00:10")
    draft, _ = await draft_that_waits(system, subscription)
    await system.stripe.v1.customers.update_async(draft.customer, {"email": "billing@example.com"})
    invoice = await only(system, InvoiceState.DRAFT, InvoiceState.FINALIZED, InvoiceState.BILLED, InvoiceState.PAID)
    assert (invoice.stripe_invoice_id, invoice.amount) == (draft.id, DAY_CENTS)
