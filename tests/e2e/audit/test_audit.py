"""The audit of the whole product: clean when the books agree, patient with recent changes, never silent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.workflow import Info

import reconciliation.comparison
from billing.audit.checks import STRIPE_CHECKS, Check
from billing.audit.kinds import Kind
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.states import InvoiceState
from contracts import retries, workflow_ids
from contracts.messages.invoices import ApproveInvoice, VoidInvoice
from contracts.names import Queries, Updates
from devstack.servers.emulator import EmulatorServer
from temporal.decisions import decide
from tests.e2e.audits import (
    alter,
    audited,
    audited_system,
    bill,
    catch_up,
    ended,
    made_in_stripe,
    start_audit,
)
from tests.e2e.credits import credit
from tests.e2e.invoices_in_stripe import wake
from tests.support.databases import FreshDatabase
from tests.support.histories import record_histories
from tests.support.metrics import metered
from tests.support.months import MAY
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.waits

S = InvoiceState


@pytest.fixture
async def system(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with audited_system(temporal_client, fresh_database, stripe_emulator, tmp_path) as running:
        yield running


@pytest.fixture
async def settling(
    temporal_client: Client,
    fresh_database: FreshDatabase,
    stripe_emulator: EmulatorServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    """A product whose audits compare recent changes again every second, for a quiet period of two minutes."""
    monkeypatch.setattr(reconciliation.comparison, "_AGAIN_AFTER_AT_MOST", timedelta(seconds=1))
    async with audited_system(temporal_client, fresh_database, stripe_emulator, tmp_path, settle=120) as running:
        yield running
        await running.admin("clock", {"frozen": False})
        if folder := os.environ.get("RECORD_HISTORIES"):
            await record_histories(running.client, Path(folder), "audited", "WorkflowType = 'AuditWorkflow'")


async def every_state(system: System) -> None:
    """Bring invoices into every state in which they rest, each by regular means."""
    they = await bill(
        system, "billed", "paid", "voided", "uncollectible", "credited", waiting=("draft", "deleted", "edited", "off")
    )
    stripe = system.stripe.v1.invoices
    await stripe.pay_async(they["paid"].stripe_invoice_id, {"paid_out_of_band": True})
    await stripe.void_invoice_async(they["voided"].stripe_invoice_id)
    await stripe.mark_uncollectible_async(they["uncollectible"].stripe_invoice_id)
    await stripe.delete_async(they["deleted"].stripe_invoice_id)
    await credit(system, they["credited"], CreditOrder(CreditKind.AMOUNT, "outage", amount=100))
    lines = [{"amount": -64, "description": "goodwill"}]
    await stripe.add_lines_async(they["edited"].stripe_invoice_id, {"lines": lines})
    await decide(system.client, they["edited"].key, Updates.APPROVE, ApproveInvoice(amount=864, by="ann"))
    await system.until_state(they["edited"].key, S.BLOCKED)
    await decide(system.client, they["edited"].key, Updates.APPROVE, ApproveInvoice(amount=800, by="ann"))
    await decide(system.client, they["off"].key, Updates.VOID, VoidInvoice(by="ann", reason="gift", write_off=True))
    for name, state in {
        "paid": S.PAID,
        "voided": S.VOIDED,
        "uncollectible": S.UNCOLLECTIBLE,
        "deleted": S.DELETED,
        "edited": S.BILLED,
        "off": S.DELETED,
    }.items():
        await system.until_state(they[name].key, state)
    await until_rested(system)


async def test_whatever_is_honestly_reached_is_clean(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await every_state(system)
    found = await audited(system)
    assert (found.findings, found.completed) == ([], True)
    assert {made.check for made in found.outcome.checks} == set(Check)
    assert found.figures(Check.STRIPE_HAS_OURS)["invoices"] == 6
    assert found.figures(Check.CREDIT_NOTES) == {"issued": 1, "in_stripe": 1, "refunds_without_note": 0}

    # Continued as a new run after every page, it reports the same under the id of its first run.
    monkeypatch.setattr(Info, "is_continue_as_new_suggested", lambda self: True)
    handle = await start_audit(system)
    continued = await ended(system, handle)
    assert continued.outcome.audit_id == handle.first_execution_run_id != handle.run_id
    assert [made.figures for made in continued.outcome.checks] == [made.figures for made in found.outcome.checks]


async def test_an_audit_covers_its_period_or_account_alone(system: System) -> None:
    they = await bill(system, "here", "there")
    await unheard(system)
    for invoice in they.values():
        await system.stripe.v1.invoices.void_invoice_async(invoice.stripe_invoice_id)
    customer = they["here"].stripe_customer_id
    made = await system.stripe.v1.invoices.create_async(
        {"customer": customer, "currency": "usd", "metadata": made_in_stripe(they["here"], perdure_invoice="lost")}
    )
    here = {
        (Check.STRIPE_SAYS_THE_SAME, Kind.STATUS_DIFFERS, they["here"].key, they["here"].stripe_invoice_id),
        (Check.WE_KNOW_STRIPES, Kind.UNKNOWN_IN_STRIPE, "lost", made.id),
    }
    there = (Check.STRIPE_SAYS_THE_SAME, Kind.STATUS_DIFFERS, they["there"].key, they["there"].stripe_invoice_id)
    assert (await audited(system, period=MAY)).found == {*here, there}
    alone = await audited(system, attribution_id="team:here")
    assert (alone.found, alone.figures(Check.STRIPE_HAS_OURS)) == (here, {"invoices": 1, "in_stripe": 2})
    assert (await audited(system, period=MAY, attribution_id="team:there")).found == {there}
    for nothing in ({"period": "2022-04"}, {"attribution_id": "team:nobody"}):
        assert (await audited(system, **nothing)).found == set()


@pytest.mark.history("audited")
async def test_what_is_in_motion_is_compared_again(settling: System) -> None:
    system = settling
    they = await bill(system, "late", "lost")
    assert (await audited(system)).completed
    await unheard(system)
    pay = system.stripe.v1.invoices.pay_async
    await pay(they["late"].stripe_invoice_id, {"paid_out_of_band": True})
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    await system.admin("clock", {"now": long_ago.isoformat(), "frozen": True})
    await pay(they["lost"].stripe_invoice_id, {"paid_out_of_band": True})
    await alter(system, "UPDATE invoice SET updated_at = :at WHERE id = :id", at=long_ago, id=they["lost"].id)
    handle = await start_audit(system)

    async def looks_again() -> bool:
        said: str = await handle.query(Queries.PROGRESS, result_type=str)
        return said.startswith("Refreshing Stripe's invoices that differ: 2")

    await until(looks_again)
    await wake(system, they["late"].key)
    await system.until_state(they["late"].key, S.PAID)
    found = await ended(system, handle)
    assert found.found == {
        (Check.STRIPE_SAYS_THE_SAME, Kind.STATUS_DIFFERS, they["lost"].key, they["lost"].stripe_invoice_id)
    }
    assert found.figures(Check.STRIPE_SAYS_THE_SAME)["looked_at_again"] > 2


async def test_a_check_that_cannot_be_made_is_reported_and_the_others_go_on(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bill(system, "patience")
    monkeypatch.setattr(retries, "AUDIT_PATIENCE", timedelta(seconds=8))
    await system.admin("faults", {"match": {"method": "GET", "path": "^/v1/invoices$"}, "action": "503", "times": None})
    (tmp_path / "reports").rename(tmp_path / "away")
    found = await audited(system)
    assert found.found == {(str(check), Kind.NOT_MADE, None, None) for check in (Check.REPORTS, *STRIPE_CHECKS)}
    assert set(found.outcome.not_made) == {Check.REPORTS, *STRIPE_CHECKS}
    assert "the folder" in found.outcome.not_made[Check.REPORTS]
    (tmp_path / "away").rename(tmp_path / "reports")
    await system.admin("faults", method="DELETE")
    assert (await audited(system)).completed


async def test_a_database_that_is_away_for_a_while_is_waited_for(system: System) -> None:
    await bill(system, "away")
    async with system.db.transaction() as connection:
        await connection.execute(text("ALTER TABLE claim RENAME TO away"))
    handle = await start_audit(system)

    async def retried() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return any(each.attempt > 1 for each in pending)

    await until(retried)
    async with system.db.transaction() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO claim"))
    assert (await ended(system, handle)).findings == []


async def test_an_audit_that_postgres_has_lost_ends(system: System, tmp_path: Path) -> None:
    """Otherwise the daily audit would never run again."""
    await bill(system, "forgotten")
    (tmp_path / "reports").rename(tmp_path / "away")
    handle = await start_audit(system)

    async def waits() -> bool:
        return "usage reports" in str(await handle.query(Queries.PROGRESS, result_type=str))

    await until(waits)
    await alter(system, "DELETE FROM audit_run")
    (tmp_path / "away").rename(tmp_path / "reports")
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert failed.value.__cause__ is not None
    assert "not in this database" in str(failed.value.__cause__.__cause__)


async def test_the_verdict_is_seen_in_the_ui_and_counted(system: System) -> None:
    await system.stop()
    meter = await metered(system)
    await system.start()
    they = await bill(system, "seen")
    await unheard(system)
    await system.stripe.v1.invoices.void_invoice_async(they["seen"].stripe_invoice_id)
    await audited(system)
    handle: Any = system.client.get_workflow_handle(workflow_ids.audit())
    described = await handle.describe()
    assert described.status is WorkflowExecutionStatus.FAILED
    details = str(await handle.query("__temporal_workflow_metadata"))
    assert "| stripe-says-the-same | **1** |" in details
    assert "`perdure audit --last` lists the discrepancies" in details
    assert await meter.count("perdure_audit_discrepancies") == 1
    await catch_up(system)
    await system.until_state(they["seen"].key, S.VOIDED)
    await audited(system)
    assert await meter.count("perdure_audit_discrepancies") == 0
