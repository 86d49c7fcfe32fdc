"""The common way of an invoice: one step in Stripe, Stripe's event, the books compared with Stripe's answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from billing.invoice.policy import BlockedKind
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import Activities, Signals
from storage.invoices import disputes, refunds
from tests.e2e.decisions import void
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day_known, stripe_ids

S = InvoiceState


async def events_of(system: System, key: str) -> list[Any]:
    handle = system.client.get_workflow_handle(workflow_ids.invoice(key))
    return list((await handle.fetch_history()).events)


def activities_in(events: list[Any]) -> list[str]:
    """Return the remote activities of a history, in order."""
    scheduled = (each.activity_task_scheduled_event_attributes.activity_type.name for each in events)
    return [name for name in scheduled if name]


@pytest.mark.history("one-step")
async def test_a_paid_invoice_takes_one_remote_activity_and_one_task_before_and_after_it(system: System) -> None:
    key = await one_day_known(system, "team:common", "pm_card_visa")
    await system.run_period(MAY)
    await until_rested(system)
    invoice = await system.invoice(key)
    assert (invoice.state, invoice.amount, invoice.payment_attempts) == (S.PAID, DAY_CENTS, 1)
    events = await events_of(system, key)
    assert activities_in(events) == [Activities.BILL_STRIPE_INVOICE]
    kinds = Counter(EventType.Name(each.event_type).removeprefix("EVENT_TYPE_") for each in events)
    assert kinds.pop("WORKFLOW_EXECUTION_SIGNALED") == 2
    # Two tasks, of three events each; one more for each event, and a timer, if it waits already when they come.
    tasks = [kinds.pop(kind) for kind in list(kinds) if kind.startswith("WORKFLOW_TASK_")]
    assert max(tasks) in (2, 3, 4)
    assert kinds.pop("TIMER_STARTED", 0) == kinds.pop("TIMER_CANCELED", 0) <= 1
    assert kinds.total() + 2 * 3 + 2 == 16, kinds


@pytest.mark.history("one-step-polled")
async def test_if_no_event_comes_stripe_is_asked(system: System) -> None:
    key = await one_day_known(system, "team:silent")
    system.settings = system.settings.model_copy(update={"finalization_poll_seconds": 0.3})
    await system.stop()
    await system.start()
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    await system.run_period(MAY)
    assert (await system.invoice(key)).state is S.BILLED
    events = await events_of(system, key)
    assert activities_in(events) == [Activities.BILL_STRIPE_INVOICE, Activities.RETRIEVE_STRIPE_INVOICE]


async def test_if_stripe_refuses_to_be_asked_the_blocked_invoice_names_what_stripe_has(system: System) -> None:
    """So that a void, the audit and a retry go by Stripe's id."""
    key = await one_day_known(system, "team:refused")
    system.settings = system.settings.model_copy(update={"finalization_poll_seconds": 0.3})
    await system.stop()
    await system.start()
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    await system.admin("faults", {"match": {"method": "GET", "path": "invoices/in_"}, "action": "400", "times": None})
    await system.start_period(MAY)
    blocked = await system.until_state(key, S.BLOCKED)
    assert (blocked.blocked_kind, [blocked.stripe_invoice_id]) == (BlockedKind.ERROR, await stripe_ids(system, key))
    await system.admin("faults", method="DELETE")
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    assert (await system.until_state(key, S.BILLED)).stripe_invoice_id == blocked.stripe_invoice_id


async def test_what_is_reclaimed_before_it_is_settled_is_recorded(system: System) -> None:
    """Postgres has no Stripe id of the invoice yet: the key in its metadata names it."""
    key = await one_day_known(system, "team:hasty", "pm_card_visa")
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    await system.start_period(MAY)

    async def charged() -> str | None:
        found = [one for one in await system.stripe_invoices() if one["metadata"].get("perdure_invoice") == key]
        return str(found[0]["id"]) if found and found[0]["status"] == "paid" else None

    made = await until(charged)
    v1: Any = system.stripe.v1
    payment = (await v1.invoice_payments.list_async({"invoice": made})).data[0].payment
    await v1.refunds.create_async({"payment_intent": payment.payment_intent, "amount": 64})
    await system.admin("disputes", {"invoice": made, "amount": 500})
    ours = (await system.invoice(key)).id

    async def recorded() -> bool:
        return bool(await refunds.of_invoices(system.db, [ours]) and await disputes.of_invoices(system.db, [ours]))

    await until(recorded)
    before = await system.invoice(key)
    assert (before.state, before.stripe_invoice_id) == (S.CLAIMED, None)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    assert (await system.until_state(key, S.PAID)).stripe_invoice_id == made


@pytest.mark.history("one-step-lost")
async def test_a_void_finds_what_a_lost_workflow_has_made(system: System) -> None:
    """Otherwise its usage would be billed again, next to an invoice that the customer pays."""
    key = await one_day_known(system, "team:gone")
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    await system.start_period(MAY)

    async def finalized() -> str | None:
        for one in await system.stripe_invoices():
            if one["metadata"].get("perdure_invoice") == key and one["status"] == "open":
                return str(one["id"])
        return None

    made = await until(finalized)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).terminate("lost")
    assert (await system.invoice(key)).stripe_invoice_id is None
    await void(system, key)
    await system.until_state(key, S.VOIDED)
    assert (await system.stripe.v1.invoices.retrieve_async(made)).status == "void"


@pytest.mark.history("one-step-doubted")
async def test_what_is_unusual_takes_the_separate_steps(system: System) -> None:
    """A draft of an earlier attempt is found, which a person has edited meanwhile: it is not charged."""
    key = await one_day_known(system, "team:doubted")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None})
    await system.start_period(MAY)

    async def filled() -> str | None:
        for one in await system.stripe_invoices():
            if one["metadata"].get("perdure_invoice") == key and one["subtotal"] == DAY_CENTS:
                return str(one["id"])
        return None

    draft = await until(filled)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft, {"lines": [extra]})
    await system.admin("faults", method="DELETE")
    blocked = await system.until_state(key, S.BLOCKED)
    assert (blocked.blocked_kind, blocked.stripe_invoice_id) == (BlockedKind.EDITED, draft)
    assert await stripe_ids(system, key) == [draft]


@pytest.mark.history("one-step-declined")
async def test_a_payment_that_fails_at_once_is_recorded_from_stripes_answer(system: System) -> None:
    key = await one_day_known(system, "team:broke", "pm_card_chargeDeclined")
    await system.run_period(MAY)
    await until_rested(system)
    invoice = await system.invoice(key)
    assert (invoice.state, invoice.payment_attempts) == (S.BILLED, 1)
    assert invoice.payment_failed_at is not None
    assert activities_in(await events_of(system, key)) == [Activities.BILL_STRIPE_INVOICE]
