"""Credit notes are created once whatever Stripe and the network do, and follow what people do in Stripe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowExecutionStatus

from billing.errors import InputError
from billing.invoice.credit_notes import CreditDestination, CreditKind, CreditNoteState, CreditOrder
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.credit_notes import CreditNoteResult
from contracts.names import STRIPE_QUEUE, Signals
from storage.invoices import credit_notes as store
from storage.invoices import credit_states
from storage.invoices.credit_notes import CreditNoteRecord
from tests.e2e.credits import S, amount, billed, credit, in_stripe, no_news, notes, remaining, start, until_state
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.waits


@pytest.mark.history("credited")
async def test_an_open_invoice_is_credited_by_amount_line_and_instance(system: System) -> None:
    invoice = await billed(system, "team:open")
    made = [
        await credit(system, invoice, amount(100)),
        await credit(system, invoice, CreditOrder(CreditKind.INSTANCE, "slow", instance_id="open-1")),
        await credit(system, invoice, CreditOrder(CreditKind.LINE, "slow", line_no=1)),
    ]
    assert [(note.state, note.amount) for note in made] == [(S.ISSUED, 100), (S.ISSUED, 432), (S.ISSUED, 382)]
    found = await in_stripe(system, invoice)
    lines = await system.stripe.v1.invoices.line_items.list_async(invoice.stripe_invoice_id)
    line = next(line.id for line in lines.data if line.metadata["perdure_line"] == f"{invoice.key}#1")
    assert [(note["total"], note["memo"], note["post_payment_amount"]) for note in found] == [
        (100, "outage", 0),
        (432, "slow", 0),
        (382, "slow", 0),
    ]
    assert [note["lines"]["data"][0].get("invoice_line_item") for note in found] == [line, line, line]
    for note, ours in zip(found, made, strict=True):
        said = {"perdure_credit_note": ours.key, "perdure_invoice": invoice.key, "perdure_amount": str(ours.amount)}
        assert note["metadata"] == said
        assert (ours.stripe_credit_note_id, ours.stripe_invoice_id) == (note["id"], invoice.stripe_invoice_id)
    assert await remaining(system, invoice) == 1728 - 914
    assert await store.credited_of_period(system.db, MAY) == {"usd": 914}
    with pytest.raises(InputError, match=r"8\.15 USD is more than what is left of invoice .*: 8\.14 USD"):
        await credit(system, invoice, amount(815))


async def test_what_was_paid_goes_to_the_balance_or_out_of_band(system: System) -> None:
    invoice = await billed(system, "team:paid")
    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})
    await system.until_state(invoice.key, InvoiceState.PAID)
    await credit(system, invoice, amount(200))
    await credit(system, invoice, amount(300, "cash", settle_to=CreditDestination.OUT_OF_BAND))
    found = await in_stripe(system, invoice)
    assert [(note["post_payment_amount"], note["out_of_band_amount"]) for note in found] == [(200, None), (300, 300)]
    assert (await system.stripe.v1.customers.retrieve_async(invoice.stripe_customer_id)).balance == -200


async def test_a_line_that_is_not_one_to_one_in_stripe_is_credited_by_its_amount(system: System) -> None:
    system.audited = False  # its key is changed by hand
    invoice = await billed(system, "team:folded")
    await until_rested(system)
    async with system.db.transaction() as connection:
        await connection.execute(text("UPDATE invoice SET key = key || '/2' WHERE id = :id"), {"id": invoice.id})
    invoice = await system.invoice(f"{invoice.key}/2")  # no line in Stripe has this invoice's key
    await credit(system, invoice, CreditOrder(CreditKind.LINE, "slow", line_no=2))
    [note] = await in_stripe(system, invoice)
    assert (note["total"], [line["type"] for line in note["lines"]["data"]]) == (864, ["custom_line_item"])


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("lost", {"action": "lost_response"}),
        ("failed", {"action": "500"}),
        ("failed-done", {"action": "500", "committed": True}),
        ("busy", {"action": "429"}),
        ("down", {"action": "503", "stored": False}),
        ("cut", {"action": "truncated_body"}),
    ],
)
@pytest.mark.parametrize("minor", [100, 1728])
async def test_a_fault_at_stripe_makes_neither_a_second_credit_note_nor_none(
    system: System, name: str, fault: dict[str, Any], minor: int
) -> None:
    """A credit of the whole amount pays the invoice, so that a repeated request would be refused."""
    await no_news(system)
    invoice = await billed(system, f"team:{name}-{minor}")
    await system.admin("faults", {"match": {"method": "POST", "path": "^/v1/credit_notes$"}, **fault})
    note = await credit(system, invoice, amount(minor))
    assert note.state is S.ISSUED, note.blocked_reason
    assert [(found["id"], found["total"]) for found in await in_stripe(system, invoice)] == [
        (note.stripe_credit_note_id, minor)
    ]
    assert len(await notes(system, invoice)) == 1


async def test_what_stripe_has_forgotten_the_key_of_is_looked_for(system: System) -> None:
    """The invoice was finalized long ago, Stripe no longer has the idempotency key, and Postgres was restored."""
    invoice = await billed(system, "team:forgotten")
    first = await credit(system, invoice, amount(100))
    await until_rested(system)
    await system.admin("expire_idempotency_keys", {})
    async with system.db.transaction() as connection:
        await connection.execute(text("DELETE FROM credit_note_line"))
        await connection.execute(text("DELETE FROM credit_note"))
        old = {"id": invoice.id}
        await connection.execute(
            text("UPDATE invoice SET finalized_at = now() - interval '21 hours' WHERE id = :id"), old
        )
    again = await credit(system, invoice, amount(100))
    assert (again.state, again.stripe_credit_note_id) == (S.ISSUED, first.stripe_credit_note_id)
    assert len(await in_stripe(system, invoice)) == 1


async def test_after_a_retry_it_is_looked_for_under_the_new_generation(system: System) -> None:
    """The credit note is blocked, although an earlier attempt had created it."""
    await no_news(system)
    invoice = await billed(system, "team:late")
    first = await credit(system, invoice, amount(100))
    async with system.db.transaction() as connection:
        blocked = "state = 'blocked', blocked_reason = 'no', stripe_credit_note_id = NULL, issued_at = NULL"
        await connection.execute(text(f"UPDATE credit_note SET {blocked}"))
    await credit_states.resume_credit_note(system.db, first.key)
    again = await credit(system, invoice, amount(100))
    assert (again.state, again.stripe_credit_note_id, again.generation) == (S.ISSUED, first.stripe_credit_note_id, 2)
    assert len(await in_stripe(system, invoice)) == 1


async def test_twice_and_at_once_is_one(system: System) -> None:
    invoice = await billed(system, "team:race")
    made = await asyncio.gather(*(credit(system, invoice, amount(1000)) for _ in range(4)))
    assert {note.stripe_credit_note_id for note in made} == {made[0].stripe_credit_note_id}
    others = [credit(system, invoice, amount(400, f"other-{n}")) for n in range(4)]
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert sum(isinstance(outcome, CreditNoteRecord) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InputError) for outcome in outcomes) == 3
    assert [note["total"] for note in await in_stripe(system, invoice)] == [1000, 400]


async def test_a_killed_stripe_worker_goes_on(system: System) -> None:
    invoice = await billed(system, "team:killed")
    await system.stop(STRIPE_QUEUE)
    note, _ = await store.request_credit(system.db, invoice.key, amount(100))
    handle = await start(system, note)
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    await system.start(STRIPE_QUEUE)
    assert await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS) == CreditNoteResult(
        credit_note_key=note.key, state=S.ISSUED
    )


@pytest.mark.history("credit-blocked")
async def test_what_stripe_refuses_waits_visibly_and_goes_on(system: System, caplog: pytest.LogCaptureFixture) -> None:
    """A person has credited most of the invoice in Stripe, and no webhook reported it."""
    invoice = await billed(system, "team:refused")
    await no_news(system)
    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1700})
    note = await credit(system, invoice, amount(100))
    assert note.state is S.BLOCKED
    assert note.blocked_reason is not None
    assert note.blocked_reason.startswith("StripeRefusedError: Stripe: ")
    handle = system.client.get_workflow_handle(workflow_ids.credit_note(note.key))

    async def says_why() -> bool:
        return "exceed" in str(await handle.query("__temporal_workflow_metadata"))

    await until(says_why)
    await handle.signal(Signals.RETRY)

    async def refused_again() -> bool:
        found = await store.load_credit_note(system.db, note.key)
        return found is not None and (found.state, found.generation) == (S.BLOCKED, 2)

    await until(refused_again)
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    await handle.signal(Signals.RETRY)
    assert (await until_state(system, note.key, S.ISSUED)).generation == 3
    said = [(r.message, vars(r)["credit_note"]) for r in caplog.records if r.name == "perdure.credit_notes"]
    assert said == [("credit note blocked", note.key)] * 2


@pytest.mark.history("credited-by-hand")
async def test_what_people_do_in_stripe_comes_in_step(system: System) -> None:
    invoice = await billed(system, "team:hand")
    ours = await credit(system, invoice, amount(100))
    by_hand = await system.stripe.v1.credit_notes.create_async(
        {"invoice": invoice.stripe_invoice_id, "amount": 250, "memo": "goodwill"}
    )
    theirs = await until_state(system, f"{invoice.key}/credit/{by_hand.id}", S.ISSUED)
    assert (theirs.kind, theirs.amount, theirs.reason) == (CreditKind.AMOUNT, 250, "goodwill")
    for note in (ours, theirs):
        await system.stripe.v1.credit_notes.void_credit_note_async(note.stripe_credit_note_id)
        assert (await until_state(system, note.key, S.VOIDED)).voided_at is not None
    assert len(await notes(system, invoice)) == 2
    assert await store.credited_of_period(system.db, MAY) == {}
    assert (await credit(system, invoice, amount(1728))).state is S.ISSUED
    assert (await credit(system, invoice, amount(100))).state is S.VOIDED


async def test_a_foreign_invoice_is_left_alone(system: System) -> None:
    customer = await system.stripe.v1.customers.create_async({})
    draft = await system.stripe.v1.invoices.create_async({"customer": customer.id, "currency": "usd"})
    line = {"amount": 500, "description": "not ours"}
    await system.stripe.v1.invoices.add_lines_async(draft.id, {"lines": [line]})
    await system.stripe.v1.invoices.finalize_invoice_async(draft.id)
    begun = len(system.emulator.request_log.read_text().splitlines())
    await system.stripe.v1.credit_notes.create_async({"invoice": draft.id, "amount": 100})
    handle = system.client.get_workflow_handle(workflow_ids.credit_notes_sync(draft.id))

    async def rests() -> bool:
        found = [w.status async for w in system.client.list_workflows(f"WorkflowId = '{handle.id}'")]
        return bool(found) and all(status == WorkflowExecutionStatus.COMPLETED for status in found)

    await until(rests)
    sent = [json.loads(each) for each in system.emulator.request_log.read_text().splitlines()[begun:]]
    assert [one["path"] for one in sent if one["method"] == "GET"] == []


@pytest.mark.history("credit-withdrawn")
async def test_a_credit_note_that_stripe_refuses_is_given_up(system: System) -> None:
    invoice = await billed(system, "team:withdrawn")
    await no_news(system)
    await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1700})
    note = await credit(system, invoice, amount(100))
    assert note.state is CreditNoteState.BLOCKED
    handle = system.client.get_workflow_handle(workflow_ids.credit_note(note.key))
    await handle.signal(Signals.WITHDRAW)
    await until_state(system, note.key, CreditNoteState.VOIDED)
    await handle.result()
