"""A draft that a person edited is not finalized until a person decides so."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.invoices import StripeInvoiceActivities
from billing.invoice.states import InvoiceState
from billing.statement.model import Adjustment
from contracts import workflow_ids
from contracts.messages.invoices import (
    RebuildInvoice,
    StripeInvoiceRef,
)
from contracts.names import Signals, Updates
from reconciliation.figures import lines_digest
from storage.statements.reading import opened_statement
from temporal.decisions import DecisionError, decide
from tests.e2e.decisions import approve, edited, live_in_stripe
from tests.e2e.invoices_in_stripe import add_line, create, order_of, pending_failure
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day


@pytest.mark.parametrize("amounts", [(-100,), (100, -100)], ids=["other-subtotal", "same-subtotal"])
@pytest.mark.waits
async def test_an_edited_draft_is_not_finalized(system: System, amounts: tuple[int, ...]) -> None:
    key = await one_day(system, f"team:edited-{len(amounts)}")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    handle = await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    await until(lambda: pending_failure(system.client.get_workflow_handle(workflow_ids.invoice(key))))

    added = await add_line(system, draft.stripe_invoice_id, *amounts)
    await system.admin("faults", method="DELETE")
    blocked = await system.until_state(key, InvoiceState.BLOCKED)

    assert (blocked.blocked_reason or "").startswith("EditedInvoiceError")
    assert (await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)).status == "draft"

    await system.stripe.v1.invoices.remove_lines_async(
        draft.stripe_invoice_id, {"lines": [{"id": line, "behavior": "delete"} for line in added]}
    )
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.BILLED


@pytest.mark.waits
async def test_a_draft_verified_just_now_is_not_fetched_again(system: System) -> None:
    # The event of the failed charge would cause another refresh.
    await system.admin("webhook_faults", {"match": {"type": "payment"}, "action": "drop", "times": None})
    key = await one_day(system, "team:swift")
    await system.run_period(MAY)
    await until_rested(system)
    await system.admin("webhook_faults", method="DELETE")
    stripe_id = (await system.invoice(key)).stripe_invoice_id
    log = [json.loads(line) for line in system.emulator.request_log.read_text().splitlines()]
    asked = [f"{entry['method']} {entry['path'].rpartition('/')[2]}" for entry in log if stripe_id in entry["path"]]

    assert asked == ["POST add_lines", "POST finalize", f"GET {stripe_id}"]


async def test_a_verification_long_ago_does_not_count(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    order = order_of(customer, "2022-05/team:stale/period")
    made = await create(system, order)
    await add_line(system, made, 5)
    ref = StripeInvoiceRef(
        invoice_key=order.invoice_key,
        stripe_invoice_id=made,
        stripe_customer_id=customer,
        currency="usd",
        amount=300,
        lines_digest=lines_digest((line.line_id, line.amount) for line in order.lines),
        verified_at=datetime.now(UTC) - timedelta(hours=1),
    )

    with pytest.raises(ApplicationError, match="was edited") as raised:
        await ActivityEnvironment().run(StripeInvoiceActivities(system.stripe).finalize, ref)
    assert (raised.value.type, raised.value.non_retryable) == ("EditedInvoiceError", True)


@pytest.mark.history("edited-and-accepted")
async def test_an_edited_draft_is_accepted_at_stripes_figure(system: System) -> None:
    blocked = await edited(system, "team:accept")
    with pytest.raises(DecisionError, match=r"now totals 8\.00 USD"):
        await approve(system, blocked.key, DAY_CENTS)
    await approve(system, blocked.key, 800)
    billed = await system.until_state(blocked.key, InvoiceState.BILLED)
    assert (billed.amount, billed.accepted_subtotal) == (DAY_CENTS, 800)
    stripe = await system.stripe.v1.invoices.retrieve_async(billed.stripe_invoice_id)
    assert (stripe.status, stripe.subtotal) == ("open", 800)
    async with opened_statement(system.db, billed) as statement:
        assert statement.adjustments == (Adjustment("Edited in Stripe", 800 - DAY_CENTS),)
        assert (statement.total, billed.stripe_total) == (800, 800)


@pytest.mark.history("edited-and-rebuilt")
async def test_an_edited_draft_is_rebuilt_from_our_lines(system: System) -> None:
    blocked = await edited(system, "team:rebuild")
    await decide(system.client, blocked.key, Updates.REBUILD, RebuildInvoice(by="ann"))
    again = await system.until_state(blocked.key, InvoiceState.DRAFT)
    assert again.stripe_invoice_id != blocked.stripe_invoice_id
    assert [i["id"] for i in await live_in_stripe(system, again.key)] == [again.stripe_invoice_id]
    await approve(system, again.key, DAY_CENTS)
    billed = await system.until_state(again.key, InvoiceState.BILLED)
    stripe = await system.stripe.v1.invoices.retrieve_async(billed.stripe_invoice_id)
    assert (stripe.status, stripe.subtotal) == ("open", DAY_CENTS)
