"""Whatever part of an invoice is left in Stripe, no one is charged twice or wrongly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from billing.invoice.states import InvoiceState
from billing.usage.rows import AccountRow
from contracts import workflow_ids
from contracts.messages.invoices import (
    StripeInvoiceOrder,
)
from contracts.names import STRIPE_QUEUE, Signals
from storage.accounts import accounts
from tests.e2e.invoices_in_stripe import add_line, create, order_of
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day, stripe_ids


async def test_a_draft_found_after_a_restore_names_the_present_report(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    key = "2022-05/team:restored/period"
    made = await create(system, order_of(customer, key))
    await system.admin("faults", {"match": {"method": "POST", "path": f"/{made}$"}, "action": "500"})

    order = order_of(customer, key, "sha-2")
    assert await until(lambda: _created(system, order)) == made
    found = await system.stripe.v1.invoices.retrieve_async(made)
    assert found.metadata["report_id"].endswith("sha-2.jsonl.gz")
    assert found.subtotal == 300


async def _created(system: System, order: StripeInvoiceOrder) -> str | None:
    """Create an invoice like Temporal, which retries after a transient failure. Returns None for such a failure."""
    try:
        return await create(system, order)
    except ApplicationError as error:
        if error.non_retryable:
            raise
        return None


@dataclass
class HalfMade:
    """A blocked invoice whose Stripe draft has a line that is not ours; its period still runs."""

    key: str
    customer: str
    draft: str
    added: list[str]
    period: Any


async def half_made(system: System, team: str) -> HalfMade:
    """Make creation fail permanently: it finds a draft with its key whose total cannot be ours."""
    key = await one_day(system, team)
    await system.stop(STRIPE_QUEUE)
    period = await system.start_period(MAY)
    await system.until_state(key, InvoiceState.CLAIMED)
    customer = (await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": team}})).id
    await system.add_account(team, customer=customer)
    draft = await system.stripe.v1.invoices.create_async(
        {"customer": customer, "currency": "usd", "metadata": {"perdure_invoice": key}}
    )
    added = await add_line(system, draft.id, 7)
    await system.start(STRIPE_QUEUE)
    await system.until_state(key, InvoiceState.BLOCKED)
    return HalfMade(key, customer, draft.id, added, period)


@pytest.mark.waits
async def test_an_invoice_that_creation_left_half_made_keeps_its_customer_and_is_used(system: System) -> None:
    half = await half_made(system, "team:half")
    blocked = await system.invoice(half.key)
    assert (blocked.blocked_reason or "").startswith("EditedInvoiceError")
    assert (blocked.stripe_invoice_id, blocked.stripe_customer_id) == (half.draft, half.customer)
    assert blocked.resume_state is InvoiceState.CLAIMED
    other = (await system.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    row = AccountRow(
        line=2,
        attribution_id="team:half",
        stripe_customer_id=other,
        currency="usd",
        bill_after=None,
        started=None,
        ended=None,
    )
    (fault,) = await accounts.upsert_accounts(system.db, [row])
    assert "while invoices are open" in fault.reason

    await system.stripe.v1.invoices.remove_lines_async(
        half.draft, {"lines": [{"id": line, "behavior": "delete"} for line in half.added]}
    )
    await system.client.get_workflow_handle(workflow_ids.invoice(half.key)).signal(Signals.RETRY)
    await asyncio.wait_for(half.period.result(), GIVE_UP_SECONDS)
    invoice = await system.invoice(half.key)
    assert (invoice.state, invoice.stripe_invoice_id) == (InvoiceState.BILLED, half.draft)
    assert await stripe_ids(system, half.key) == [half.draft]


@pytest.mark.parametrize("end", [InvoiceState.DELETED, InvoiceState.VOIDED], ids=str)
@pytest.mark.waits
async def test_a_half_made_invoice_that_is_gone_in_stripe_gives_its_usage_back(
    system: System, end: InvoiceState
) -> None:
    half = await half_made(system, f"team:half-{end}")

    if end is InvoiceState.DELETED:
        await system.stripe.v1.invoices.delete_async(half.draft)
    else:
        await system.stripe.v1.invoices.finalize_invoice_async(half.draft)
        await system.stripe.v1.invoices.void_invoice_async(half.draft)
    await asyncio.wait_for(half.period.result(), GIVE_UP_SECONDS)

    assert (await system.invoice(half.key)).state is end


async def test_a_draft_found_under_a_used_key_gets_no_line_twice(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    key = "2022-05/team:found/period"
    order = order_of(customer, key, cutoff=datetime.now(UTC))
    made = await create(system, order)

    # A newer release words its requests differently, so the old keys refuse them.
    lines = [line.model_copy(update={"description": "reworded"}) for line in order.lines]
    assert await create(system, order.model_copy(update={"description": "reworded", "lines": lines})) == made
    assert (await system.stripe.v1.invoices.retrieve_async(made)).subtotal == 300


async def test_an_invoice_paid_twice_waits_for_a_person(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    key = "2022-05/team:twice/period"
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    order = order_of(customer, key)
    ids: list[str] = []
    for _ in range(2):
        # Each is created without knowledge of the other.
        made = await create(system, order_of(customer, f"{key}/{len(ids)}", metadata={"perdure_invoice": key}))
        await system.stripe.v1.invoices.finalize_invoice_async(made)
        await system.stripe.v1.invoices.pay_async(made, {"paid_out_of_band": True})
        ids.append(made)
    draft = await system.stripe.v1.invoices.create_async({"customer": customer, "metadata": {"perdure_invoice": key}})

    with pytest.raises(ApplicationError, match="paid more than once") as raised:
        await create(system, order)

    assert (raised.value.type, raised.value.non_retryable) == ("MismatchError", True)
    assert all(made in raised.value.message for made in ids)
    assert raised.value.details[0].stripe_invoice_id in ids
    assert (await system.stripe.v1.invoices.retrieve_async(draft.id)).status == "draft"
