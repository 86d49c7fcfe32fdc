"""The Temporal namespace is lost in the middle of everything, and one command recovers it from Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio.client import WorkflowExecutionStatus

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice, VoidInvoice
from contracts.messages.periods import PeriodInput
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Queries, Signals, Updates, Workflows
from storage.accounts import policies, subscription_faults
from storage.invoices import credit_notes
from storage.invoices.disputes import DisputeRecord
from temporal.decisions import approve_period, decide
from tests.e2e.catching_up import DROP_ALL
from tests.e2e.charged import live
from tests.e2e.credits import until_state as until_note
from tests.e2e.paid_invoices import paid, recorded
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.losing import lose_temporal, perdure, recover
from tests.support.months import JUNE, MAY
from tests.support.system import System, at
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day

pytestmark = pytest.mark.waits


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    await system.stop()
    await system.start()
    async with subscribing(system) as found:
        await found.clock("2022-05-01")
        yield found


async def start_account(system: System, team: str) -> None:
    """Run the period for this account alone: the whole period's run still waits for a busy Stripe."""
    await system.client.start_workflow(
        Workflows.BILLING_PERIOD,
        PeriodInput(period=MAY, attribution_id=team),
        id=workflow_ids.billing_period(MAY, team),
        task_queue=BILLING_QUEUE,
    )


@dataclass(frozen=True)
class Keys:
    """The key of an invoice in each state."""

    blocked: str
    approval: str
    grace: str
    settled: str
    voided: str
    unbegun: str


async def _in_every_state(system: System) -> Keys:
    blocked = await one_day(system, "team:blocked", limit_amount=1)
    approval = await one_day(system, "team:approval", finalization=Finalization.APPROVAL)
    grace = await one_day(system, "team:grace", finalization=Finalization.GRACE)
    settled = await one_day(system, "team:settled")
    busy = {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False}
    await system.run_period_until_blocked(MAY)
    await system.until_state(settled, InvoiceState.BILLED)
    voided = await one_day(system, "team:wanted-void")
    await system.admin("faults", busy)
    await system.run_period_until_blocked(MAY)
    await system.until_state(voided, InvoiceState.DRAFT)
    for key in (approval, grace):
        await system.until_state(key, InvoiceState.DRAFT)
    await system.stop(STRIPE_QUEUE)
    await decide(system.client, settled, Updates.VOID, VoidInvoice(by="ann", reason="wrong", write_off=True))
    unbegun = await one_day(system, "team:unbegun")
    await start_account(system, "team:unbegun")
    await system.until_state(unbegun, InvoiceState.CLAIMED)
    await system.admin("faults", method="DELETE")
    return Keys(blocked, approval, grace, settled, voided, unbegun)


async def test_invoices_in_every_state_are_brought_back_by_one_command(system: System) -> None:
    keys = await _in_every_state(system)
    charged = await live(system)

    await lose_temporal(system)
    ran = await perdure(system, "recover", "--json")
    started = {row["workflow_id"]: row["state"] for row in ran.document["workflows"] if row["started"]}
    assert started == {
        workflow_ids.invoice(keys.unbegun): "claimed",
        workflow_ids.invoice(keys.blocked): "blocked",
        workflow_ids.invoice(keys.approval): "draft",
        workflow_ids.invoice(keys.grace): "draft",
        workflow_ids.invoice(keys.voided): "draft",
        workflow_ids.invoice(keys.settled): "billed",  # a person has requested its void
    }
    assert ran.document["periods"] == [MAY]
    assert ran.document["missing_schedules"] == list(workflow_ids.SCHEDULES)
    for key in (keys.unbegun, keys.voided):
        await system.until_state(key, InvoiceState.BILLED)
    await system.until_state(keys.settled, InvoiceState.VOIDED)
    await decide(system.client, keys.approval, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    await system.until_state(keys.approval, InvoiceState.BILLED)
    assert (await system.invoice(keys.blocked)).blocked_kind is BlockedKind.LIMIT
    assert (await system.invoice(keys.grace)).state is InvoiceState.DRAFT

    again = await perdure(system, "recover")
    assert f"{workflow_ids.invoice(keys.blocked)}: blocked, already running, refreshes" in again.out
    assert f"{workflow_ids.invoice(keys.grace)}: draft, already running, refreshes" in again.out
    assert f"{MAY}: no run of all accounts has ended since its newest invoice: `perdure" in again.out
    now = await live(system)
    assert all(len(found) == 1 for found in now.values())
    assert {key: now[key] for key in charged if key in now} == {k: v for k, v in charged.items() if k != keys.settled}


async def test_a_period_that_is_held_and_one_that_was_half_claimed(system: System) -> None:
    await one_day(system, "team:held")
    system.settings = system.settings.model_copy(update={"limit_period_amount": "usd=1.00"})
    await system.stop()
    await system.start()
    await system.start_period(MAY)

    async def held() -> bool:
        hold = await policies.read_hold(system.db, MAY)
        return hold is not None and hold.reason is not None

    await until(held)
    await lose_temporal(system)
    ran = await perdure(system, "recover", "--run-periods", "--json")
    assert ran.document["periods"] == [MAY]
    handle = system.client.get_workflow_handle(workflow_ids.billing_period(MAY))

    async def says_so() -> bool:
        return bool(await handle.query(Queries.PHASE) == "held")

    await until(says_so)
    await approve_period(system.client, MAY, {"usd": DAY_CENTS}, "ann")
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert [i.amount for i in await system.invoices()] == [DAY_CENTS]


async def test_credit_notes_that_were_asked_for_are_made(system: System) -> None:
    key = await one_day(system, "team:crediting")
    await system.run_period(MAY)
    order = CreditOrder(CreditKind.AMOUNT, "outage", amount=100)
    note, _ = await credit_notes.request_credit(system.db, key, order)  # and then Temporal was lost
    await lose_temporal(system)
    await recover(system)
    assert (await until_note(system, note.key, CreditNoteState.ISSUED)).amount == 100
    await recover(system)
    found = await system.stripe.v1.credit_notes.list_async({"invoice": (await system.invoice(key)).stripe_invoice_id})
    assert [each.total for each in found.data] == [100]


async def test_what_stripe_told_a_lost_temporal_is_read_again(system: System, they: Subscribers) -> None:
    """The events of a cancellation and a dispute were answered with 200, but nothing was done yet."""
    stripe_id = await paid(system, they)
    customer = await they.customer(attribution_id="team:leaving")
    await they.clock("2022-06-02")
    subscription = await they.subscribe(customer)
    await they.until_windows("team:leaving", ("2022-06-02", None))
    await system.add_instance("leaving-1", "team:leaving", "2022-06-03", "2022-06-04")
    await they.until_rested(subscription)
    await recover(system)  # the cursor is past all of these events
    await system.stop()
    await they.clock("2022-06-05")
    await they.cancel(subscription)
    await system.admin("disputes", {"invoice": stripe_id, "amount": 500, "reason": "fraudulent"})
    await system.admin("flush_webhooks", {})
    await _cursor_to_the_newest(system)

    await lose_temporal(system)
    await recover(system)
    (settled,) = [i for i in await system.until_settled(2) if "leaving" in i.key]
    assert settled.key == f"{JUNE}/team:leaving/cancellation/{subscription}"
    assert (settled.cutoff, settled.amount) == (at("2022-06-05"), DAY_CENTS)

    async def disputed() -> list[DisputeRecord]:
        return await recorded(system)

    assert [(d.amount, d.status) for d in await until(disputed)] == [(500, "needs_response")]


async def _cursor_to_the_newest(system: System) -> None:
    """Move the cursor as if a catch-up had delivered all events to the Temporal that is now lost."""
    from storage.recovery import event_cursor

    newest = (await system.stripe.v1.events.list_async({"limit": 1})).data[0]
    found = await event_cursor.load(system.db, "stripe-events")
    assert found is not None
    assert await event_cursor.move(
        system.db, "stripe-events", found.event_id, newest.id, found.event_created, found.adopted_until
    )


async def test_a_subscription_that_waits_for_a_person_is_brought_back(system: System, they: Subscribers) -> None:
    subscription = await they.subscribe(await they.customer(attribution_id="team malformed"))
    await they.until_says(subscription, "Blocked")
    assert [f.stripe_subscription_id for f in await subscription_faults.list_faults(system.db)] == [subscription]
    await system.admin("webhook_faults", DROP_ALL)
    await lose_temporal(system)
    ran = await perdure(system, "recover", "--json")
    assert workflow_ids.subscription(subscription) in [row["workflow_id"] for row in ran.document["workflows"]]
    await they.until_says(subscription, "Blocked")
    handle = they.workflow(subscription)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await handle.signal(Signals.RETRY)
    await they.until_says(subscription, "Blocked")
