"""The credit notes of a taxed invoice through their workflows: in turn, so that the last one takes what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.names import STRIPE_QUEUE
from storage.invoices import credit_notes as store
from tests.e2e.credits import S, in_stripe, start, until_state
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day

pytestmark = pytest.mark.waits

TAX = 172


@pytest.fixture
async def taxed(system: System) -> AsyncIterator[InvoiceRecord]:
    """An open invoice of 8.64 USD, and 19.9 % of tax: 1.72 USD."""
    await system.stop()
    system.settings = system.settings.model_copy(update={"automatic_tax": True})
    await system.start()
    await system.admin("settings", {"tax_percent": "19.9"})
    made = await system.stripe.v1.customers.create_async({"address": {"country": "DE", "postal_code": "10117"}})
    key = await one_day(system, "team:taxed", customer=made.id)
    await system.run_period(MAY)
    yield await system.until_state(key, InvoiceState.BILLED)
    await system.admin("settings", {"tax_percent": 0})


async def test_those_that_are_requested_together_come_to_the_total(system: System, taxed: InvoiceRecord) -> None:
    await system.stop(STRIPE_QUEUE)
    orders = [CreditOrder(CreditKind.AMOUNT, "slow", amount=DAY_CENTS // 3, reference=f"third-{n}") for n in range(3)]
    notes = [(await store.request_credit(system.db, taxed.key, order))[0] for order in orders]
    handles = [await start(system, note) for note in reversed(notes)]

    async def waits() -> bool:
        return notes[1].key in str(await handles[0].query("__temporal_workflow_metadata"))

    await until(waits)
    await system.start(STRIPE_QUEUE)
    found = [await until_state(system, note.key, S.ISSUED) for note in notes]
    await asyncio.wait_for(asyncio.gather(*(handle.result() for handle in handles)), GIVE_UP_SECONDS)
    assert [(note.amount, note.total) for note in found] == [(288, 345), (288, 345), (288, 346)]
    assert sum(note["total"] for note in await in_stripe(system, taxed)) == DAY_CENTS + TAX
    assert (await system.until_state(taxed.key, InvoiceState.PAID)).amount == DAY_CENTS
