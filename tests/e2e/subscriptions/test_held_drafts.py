"""Drafts that a person holds in Stripe: usage is put on them, and they are not finalized before their release."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import Signals
from tests.e2e.audits import audited
from tests.e2e.catching_up import catch_up
from tests.e2e.decisions import approve, void
from tests.e2e.subscribers import FEE, Subscribers, only, subscribed, subscribing
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def cycle(system: System, they: Subscribers, team: str, **policy: Any) -> str:
    """End the first cycle of a new subscriber and hold its draft before Perdure hears of it. Returns the draft."""
    subscription = await subscribed(system, they, team, **policy)
    await catch_up(system)
    await unheard(system, "invoice.created")
    await they.clock("2022-06-10T00:10")

    async def made() -> str | None:
        page = await system.stripe.v1.invoices.list_async({"subscription": subscription, "status": "draft"})
        return page.data[0].id if page.data else None

    draft = await until(made)
    await system.stripe.v1.invoices.update_async(draft, {"auto_advance": False})
    await system.admin("webhook_faults", method="DELETE")
    await catch_up(system)
    return draft


async def release(system: System, draft: str) -> None:
    await system.stripe.v1.invoices.update_async(draft, {"auto_advance": True})


async def stays_held(system: System, draft: str) -> InvoiceRecord:
    """Wait until the invoice is blocked as held, with its usage on the draft, and everything rests."""
    await only(system, InvoiceState.BLOCKED)
    await until_rested(system)
    invoice = await only(system, InvoiceState.BLOCKED)
    assert (invoice.blocked_kind, invoice.stripe_invoice_id) == (BlockedKind.HELD_IN_STRIPE, draft)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft)
    assert (stripe.status, stripe.auto_advance, stripe.subtotal) == ("draft", False, DAY_CENTS + FEE)
    return invoice


@pytest.mark.history("held-in-stripe")
@pytest.mark.waits
async def test_a_draft_is_charged_once_it_is_released(system: System, they: Subscribers) -> None:
    draft = await cycle(system, they, "team:held")
    invoice = await stays_held(system, draft)
    assert "auto_advance" in (invoice.blocked_reason or "")

    await release(system, draft)
    paid = await system.until_state(invoice.key, InvoiceState.PAID)
    assert paid.amount == DAY_CENTS
    stripe = await system.stripe.v1.invoices.retrieve_async(draft)
    assert (stripe.status, stripe.amount_paid) == ("paid", DAY_CENTS + FEE)
    await until_rested(system)
    assert len(await system.invoices()) == 1
    assert (await audited(system)).findings == []


@pytest.mark.waits
async def test_a_person_finalizes_a_held_draft(system: System, they: Subscribers) -> None:
    draft = await cycle(system, they, "team:by-hand")
    invoice = await stays_held(system, draft)
    await system.stripe.v1.invoices.finalize_invoice_async(draft, {"auto_advance": True})
    await system.until_state(invoice.key, InvoiceState.PAID)


@pytest.mark.waits
async def test_retrying_a_held_draft_does_not_finalize_it(system: System, they: Subscribers) -> None:
    draft = await cycle(system, they, "team:insists")
    invoice = await stays_held(system, draft)
    await system.client.get_workflow_handle(workflow_ids.invoice(invoice.key)).signal(Signals.RETRY)

    async def tried() -> bool:
        found = await system.invoice(invoice.key)
        return found.generation > invoice.generation and found.state is InvoiceState.BLOCKED

    await until(tried)
    await stays_held(system, draft)


@pytest.mark.waits
async def test_an_approval_does_not_release_what_a_person_holds(system: System, they: Subscribers) -> None:
    draft = await cycle(system, they, "team:approved", finalization=Finalization.APPROVAL)
    invoice = await only(system, InvoiceState.DRAFT)
    await approve(system, invoice.key, DAY_CENTS)
    await stays_held(system, draft)
    await release(system, draft)
    await system.until_state(invoice.key, InvoiceState.PAID)


@pytest.mark.waits
async def test_voiding_takes_our_lines_from_a_held_draft_and_leaves_it_held(system: System, they: Subscribers) -> None:
    draft = await cycle(system, they, "team:gone")
    invoice = await stays_held(system, draft)
    await void(system, invoice.key)
    await system.until_state(invoice.key, InvoiceState.DELETED)
    stripe = await system.stripe.v1.invoices.retrieve_async(draft)
    assert (stripe.status, stripe.auto_advance, stripe.subtotal) == ("draft", False, FEE)
    assert stripe.metadata.to_dict() == {}


@pytest.mark.waits
async def test_a_draft_that_perdure_itself_keeps_off_is_finalized(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:ours", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    invoice = await only(system, InvoiceState.DRAFT)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert stripe.auto_advance is False
    await approve(system, invoice.key, DAY_CENTS)
    await system.until_state(invoice.key, InvoiceState.PAID)
