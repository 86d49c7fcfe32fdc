"""Usage on the subscription's own invoice, and invoices that do not name their owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.service import RPCError

from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice, VoidInvoice
from contracts.messages.owners import StripeInvoiceResult
from contracts.names import Updates
from temporal.decisions import decide
from tests.e2e.audits import audited
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed, subscribing
from tests.support.metrics import metered
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


@pytest.mark.history("on-subscription")
async def test_base_fee_and_usage_are_one_invoice(system: System, they: Subscribers) -> None:
    subscription = await subscribed(system, they, "team:cycle")
    await system.run_period("2022-05")
    assert await system.invoices() == []  # the period does not bill its usage

    await they.clock("2022-06-10T00:10")
    invoice = await only(system, InvoiceState.PAID)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert invoice.key == f"2022-06/team:cycle/subscription/{stripe.id}"
    assert stripe.billing_reason == "subscription_cycle"
    assert stripe.parent.subscription_details.subscription == subscription
    assert (invoice.amount, stripe.subtotal) == (DAY_CENTS, DAY_CENTS + FEE)
    assert stripe.metadata["perdure_invoice"] == invoice.key

    # The next cycle has its own draft and its own usage.
    await system.add_instance("cycle-2", "team:cycle", "2022-06-20", "2022-06-22")
    await they.clock("2022-07-10T00:10")

    async def second() -> list[InvoiceRecord] | None:
        found = [i for i in await system.invoices() if i.state is InvoiceState.PAID]
        return found if len(found) == 2 else None

    assert [i.amount for i in await until(second)] == [DAY_CENTS, 2 * DAY_CENTS]


@pytest.mark.history("stripe-invoice-too-late")
@pytest.mark.waits
async def test_a_draft_that_was_finalized_before_leaves_the_usage_to_the_next(
    system: System, they: Subscribers
) -> None:
    await subscribed(system, they, "team:late")
    busy = {"match": {"method": "POST", "path": "^/v1/invoices/in_"}, "action": "429", "times": 4}
    await system.admin("faults", busy)
    await they.clock("2022-06-10T00:10")
    claimed = await only(system, InvoiceState.CLAIMED)
    await they.clock("2022-06-10T02:00")  # Stripe's hour is over
    await system.until_state(claimed.key, InvoiceState.DELETED)
    stripe = await system.stripe.v1.invoices.retrieve_async(claimed.stripe_invoice_id)
    assert stripe.subtotal == FEE
    await they.clock("2022-07-10T00:10")

    async def billed() -> list[InvoiceRecord] | None:
        found = [i for i in await system.invoices() if i.state is InvoiceState.PAID]
        return found or None

    (invoice,) = await until(billed)
    assert (invoice.amount, invoice.billing_period) == (DAY_CENTS, "2022-07")
    assert (await audited(system)).findings == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("kept", {"action": "500"}),
        ("kept-done", {"action": "500", "committed": True}),
        ("lost", {"action": "lost_response"}),
    ],
)
async def test_a_fault_puts_no_line_on_the_draft_twice(
    system: System, they: Subscribers, name: str, fault: dict[str, Any]
) -> None:
    await subscribed(system, they, f"team:{name}", finalization=Finalization.APPROVAL)
    await system.admin("faults", {"match": {"method": "POST", "path": "add_lines"}, **fault})
    await they.clock("2022-06-10T00:10")
    draft = await only(system, InvoiceState.DRAFT)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
    assert (stripe.subtotal, len(stripe.lines.data)) == (DAY_CENTS + FEE, 2)
    await system.admin("faults", method="DELETE")


async def test_an_event_that_only_gives_the_id_is_identified(system: System, they: Subscribers) -> None:
    await system.admin("webhook_faults", {"match": {"type": "^invoice"}, "action": "strip", "times": None})
    try:
        await subscribed(system, they, "team:stripped")
        await they.clock("2022-06-10T00:10")
        assert (await only(system, InvoiceState.PAID)).amount == DAY_CENTS
    finally:
        await system.admin("webhook_faults", method="DELETE")


async def test_our_lines_are_edited_and_rebuilt_on_the_subscriptions_draft(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:fixed", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    draft = await only(system, InvoiceState.DRAFT)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
    assert stripe.auto_advance is False
    ours = next(line for line in stripe.lines.data if "perdure_line" in line.metadata)
    await system.stripe.v1.invoices.line_items.update_async(draft.stripe_invoice_id, ours.id, {"amount": 1})
    await decide(system.client, draft.key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    blocked = await system.until_state(draft.key, InvoiceState.BLOCKED)
    assert (blocked.blocked_kind, blocked.found_subtotal) == (BlockedKind.EDITED, 1)

    await decide(system.client, draft.key, Updates.REBUILD, RebuildInvoice(by="ann"))
    await system.until_state(draft.key, InvoiceState.DRAFT)
    await decide(system.client, draft.key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    await system.until_state(draft.key, InvoiceState.BILLED, InvoiceState.PAID)
    after = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
    assert (after.id, after.subtotal) == (stripe.id, DAY_CENTS + FEE)
    assert (await audited(system)).findings == []


@pytest.mark.history("voided-on-subscription")
async def test_voiding_takes_only_our_lines_from_the_subscriptions_draft(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:taken", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    draft = await only(system, InvoiceState.DRAFT)
    await decide(system.client, draft.key, Updates.VOID, VoidInvoice(by="ann", reason="a test", write_off=False))
    await system.until_state(draft.key, InvoiceState.DELETED)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)
    assert (stripe.status, stripe.subtotal, stripe.metadata.to_dict()) == ("draft", FEE, {})
    assert stripe.auto_advance  # the base fee must still be charged
    assert (await audited(system)).findings == []


@pytest.mark.waits
async def test_an_invoice_whose_metadata_somebody_removed_is_found_by_its_id(system: System, they: Subscribers) -> None:
    await they.clock("2022-06-01")
    await system.add_account("team:removed", ("2022-05-01", None))
    await system.add_instance("removed", "team:removed", "2022-05-03", "2022-05-04")
    await system.run_period("2022-05")
    (invoice,) = await system.invoices()
    await system.admin("flush_webhooks", {})
    await system.stripe.v1.invoices.update_async(invoice.stripe_invoice_id, {"metadata": {"perdure_invoice": ""}})
    await system.admin("webhook_faults", {"match": {"type": "^invoice"}, "action": "strip", "times": None})
    await system.stripe.v1.invoices.void_invoice_async(invoice.stripe_invoice_id)
    await system.until_state(invoice.key, InvoiceState.VOIDED)


@pytest.mark.history("stripe-invoice-foreign")
async def test_an_invoice_of_no_account_is_left_alone_and_counted(system: System, they: Subscribers) -> None:
    await system.stop()
    meter = await metered(system)
    await system.start()
    await they.clock("2022-05-10")
    subscription = await they.subscribe(await they.customer(other="yes"))
    first = (await system.stripe.v1.invoices.list_async({"subscription": subscription})).data[0]
    handle = system.client.get_workflow_handle(workflow_ids.stripe_invoice(first.id), result_type=StripeInvoiceResult)

    async def ended() -> StripeInvoiceResult | None:
        try:
            outcome: StripeInvoiceResult = await handle.result()
            return outcome
        except RPCError:  # its event has not arrived yet
            return None

    assert (await until(ended)).note == "Not one of our accounts: ignored."
    assert await meter.count("perdure_foreign_invoices") == 1
