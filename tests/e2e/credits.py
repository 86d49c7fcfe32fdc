"""Credit notes as the command requests them, and as Stripe has them."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.credit_notes import CreditNoteRef, CreditNoteResult
from contracts.names import BILLING_QUEUE, Workflows
from storage.invoices import credit_notes as store
from storage.invoices.credit_notes import CreditNoteRecord
from tests.support.months import MAY
from tests.support.rest import unheard
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until

S = CreditNoteState


async def billed(system: System, team: str) -> InvoiceRecord:
    """Bill an open invoice of 8.64 USD (two instances of half a day each, default) and 8.64 USD (half a day, xl)."""
    await system.add_account(team, ("2022-05-01", None))
    name = team.split(":")[1]
    for n in (1, 2):
        await system.add_instance(f"{name}-{n}", team, "2022-05-03T00:00", "2022-05-03T12:00")
    await system.add_instance(f"{name}-xl", team, "2022-05-03T00:00", "2022-05-03T12:00", "xl")
    await system.run_period(MAY)
    invoice = await system.invoice(f"{MAY}/{team}/period")
    assert (invoice.state, [line.rated.amount for line in invoice.lines]) == (InvoiceState.BILLED, [864, 864])
    return invoice


def amount(minor: int, reference: str | None = None, **changes: Any) -> CreditOrder:
    return CreditOrder(CreditKind.AMOUNT, "outage", amount=minor, reference=reference, **changes)


async def credit(system: System, invoice: InvoiceRecord, order: CreditOrder) -> CreditNoteRecord:
    """Do the work of the command, until Stripe has the credit note or refuses it."""
    note, _ = await store.request_credit(system.db, invoice.key, order)
    handle = await start(system, note)
    note = await until_state(system, note.key, S.ISSUED, S.BLOCKED, S.VOIDED)
    if note.state is not S.BLOCKED:
        # Stripe's event can arrive before Stripe's answer.
        await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    return note


async def start(system: System, note: CreditNoteRecord) -> Any:
    return await system.client.start_workflow(
        Workflows.CREDIT_NOTE,
        CreditNoteRef(credit_note_key=note.key),
        id=workflow_ids.credit_note(note.key),
        task_queue=BILLING_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        result_type=CreditNoteResult,
    )


async def until_state(system: System, key: str, *states: CreditNoteState) -> CreditNoteRecord:
    async def there() -> CreditNoteRecord | None:
        found = await store.load_credit_note(system.db, key)
        return found if found and found.state in states else None

    return await until(there)


async def no_news(system: System) -> None:
    """Drop Stripe's events of credit notes, which would fix what must be fixed without them."""
    await unheard(system, "credit_note")


async def in_stripe(system: System, invoice: InvoiceRecord) -> list[dict[str, Any]]:
    """Return the invoice's credit notes in Stripe, oldest first."""
    page = await system.stripe.v1.credit_notes.list_async({"invoice": invoice.stripe_invoice_id, "limit": 100})
    return [note.to_dict() async for note in page.auto_paging_iter()][::-1]


async def notes(system: System, invoice: InvoiceRecord) -> list[CreditNoteRecord]:
    return (await store.credit_notes_of(system.db, [invoice.id])).get(invoice.id, [])


async def remaining(system: System, invoice: InvoiceRecord) -> int:
    return int((await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)).amount_remaining)
