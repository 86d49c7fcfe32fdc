"""Postgres was restored to before a cancellation was billed, a cycle was charged, or a credit note was issued."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.policy import ChargeOn
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.invoices import VoidInvoice
from contracts.names import Updates
from storage.invoices import credit_notes
from storage.invoices.credit_notes import CreditNoteRecord
from temporal.decisions import decide
from tests.e2e.charged import live
from tests.e2e.credits import credit
from tests.e2e.subscribers import Subscribers, subscribed, subscribing
from tests.support.databases import Databases
from tests.support.losing import Backup, lose_temporal, recover
from tests.support.months import MAY
from tests.support.system import System, at
from tests.support.until import until
from tests.support.usage import DAY_CENTS

pytestmark = pytest.mark.waits

LONG_AGO = datetime(2022, 5, 1, tzinfo=UTC)  # on Stripe's clock


@pytest.fixture
async def backup(system: System, databases: Databases) -> AsyncIterator[Backup]:
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    taken = Backup(system, databases)
    yield taken
    await taken.drop()


@pytest.fixture
async def they(system: System, backup: Backup) -> AsyncIterator[Subscribers]:
    async with subscribing(system) as found:
        await found.clock("2022-05-01")
        yield found
    await system.admin("settings", {"subscription_invoices": False})


@pytest.mark.parametrize("first", ["recover", "period"])
async def test_a_cancellation_that_was_settled_since_is_not_billed_by_the_period(
    system: System, backup: Backup, they: Subscribers, first: str
) -> None:
    team = f"team:settled-{first}"
    customer = await they.customer(attribution_id=team)
    subscription = await they.subscribe(customer)
    await they.until_windows(team, ("2022-05-01", None))
    await system.add_instance(f"{first}-1", team, "2022-05-03", "2022-05-04")
    await they.until_rested(subscription)
    await backup.take()
    await they.clock("2022-05-10")
    await they.cancel(subscription)
    (settled,) = await system.until_settled(1)
    await they.until_rested(subscription)
    charged = await live(system)
    assert settled.key == f"{MAY}/{team}/cancellation/{subscription}"

    await backup.restore()
    await lose_temporal(system)
    await they.clock("2022-06-01T06:00")
    wrong = f"{MAY}/{team}/period"
    if first == "period":  # Stripe's invoice is not adopted first: the period claims its usage too, and that is found
        await system.run_period(MAY)
        refused = await recover(system, LONG_AGO)
        assert refused is not None
        (fault,) = refused.faults
        assert f"Stripe has {settled.key}, but some of its usage is on {wrong}" in fault
        await decide(system.client, wrong, Updates.VOID, VoidInvoice(by="ann", reason="twice", write_off=False))
        await system.until_state(wrong, InvoiceState.VOIDED)
    adopted = await recover(system, LONG_AGO)
    assert adopted is not None
    assert adopted.faults == []
    assert settled.key in adopted.adopted
    again = await system.until_state(settled.key, InvoiceState.BILLED)
    assert (again.stripe_invoice_id, again.amount) == (settled.stripe_invoice_id, DAY_CENTS)
    await they.until_windows(team, ("2022-05-01", "2022-05-10"))
    await system.run_period(MAY)
    assert await live(system) == charged


async def test_a_cycle_that_was_charged_since_is_not_charged_again(
    system: System, backup: Backup, they: Subscribers
) -> None:
    await system.admin("settings", {"subscription_invoices": True})
    team = "team:cycled"
    subscription = await subscribed(system, they, team)
    await they.until_rested(subscription)
    await backup.take()
    await they.clock("2022-06-10T00:10")

    async def charged() -> InvoiceRecord | None:
        found = await system.invoices()
        return found[0] if found and found[0].state is InvoiceState.PAID else None

    paid = await until(charged)
    await they.until_rested(subscription)
    before = await live(system)

    await backup.restore()
    await lose_temporal(system)
    await recover(system, LONG_AGO)
    again = await system.until_state(paid.key, InvoiceState.PAID)
    assert (again.charge_on, again.stripe_invoice_id, again.amount) == (
        ChargeOn.SUBSCRIPTION,
        paid.stripe_invoice_id,
        DAY_CENTS,
    )
    await they.clock("2022-07-10T02:00")
    await they.until_rested(subscription)
    assert {key: value for key, value in (await live(system)).items() if team in key} == {paid.key: before[paid.key]}


async def test_the_cycle_of_a_lost_invoice_is_taken_from_its_report(
    system: System, backup: Backup, they: Subscribers
) -> None:
    await system.admin("settings", {"subscription_invoices": True})
    subscription = await subscribed(system, they, "team:included", included_credits=Decimal(100))
    await system.add_instance("before", "team:included", "2022-05-08", "2022-05-11")
    await they.until_rested(subscription)
    await backup.take()
    await they.clock("2022-06-10T00:10")

    async def paid() -> InvoiceRecord | None:
        found = await system.invoices()
        return found[0] if found and found[0].state is InvoiceState.PAID else None

    async def places() -> list[Any]:
        async with system.db.transaction() as connection:
            found = await connection.execute(text("SELECT month, position, credits FROM invoice_month ORDER BY 1, 2"))
            return [tuple(row) for row in found]

    billed, placed = await until(paid), await places()
    assert billed.service_start == at("2022-05-10")
    assert [month for month, _, _ in placed] == ["2022-05-10"]

    await backup.restore()
    async with system.db.transaction() as connection:
        await connection.execute(text("DELETE FROM subscription_cycle"))
    await lose_temporal(system)
    await recover(system, LONG_AGO)
    again = await system.until_state(billed.key, InvoiceState.PAID)
    assert (again.report_id, again.service_start) == (billed.report_id, at("2022-05-10"))
    assert [(line.rated, line.carried_us) for line in again.lines] == [
        (line.rated, line.carried_us) for line in billed.lines
    ]
    assert await places() == placed


async def test_a_credit_note_made_since_is_adopted_with_its_invoice(
    system: System, backup: Backup, they: Subscribers
) -> None:
    team = "team:credited-since"
    await system.add_account(team, ("2022-05-01", None))
    await system.add_instance("credited-1", team, "2022-05-03", "2022-05-04")
    await they.clock("2022-06-01T06:00")
    await backup.take()
    await system.run_period(MAY)
    key = f"{MAY}/{team}/period"
    note = await credit(system, await system.invoice(key), CreditOrder(CreditKind.AMOUNT, "outage", amount=100))
    assert note.state is CreditNoteState.ISSUED

    await backup.restore()
    await lose_temporal(system)
    await recover(system, LONG_AGO)
    await system.until_state(key, InvoiceState.BILLED)

    async def known() -> CreditNoteRecord | None:
        return await credit_notes.load_credit_note(system.db, note.key)

    again = await until(known)
    assert (again.state, again.amount, again.stripe_credit_note_id) == (
        CreditNoteState.ISSUED,
        100,
        note.stripe_credit_note_id,
    )
