"""Stripe, the network and processes fail, and the result is the same."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Signals
from storage.invoices import invoices as store
from tests.support.months import MAY
from tests.support.namespaces import new_namespace
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day, stripe_ids

pytestmark = pytest.mark.waits


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("create-lost", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "lost_response"}),
        ("lines-lost", {"match": {"method": "POST", "path": "add_lines"}, "action": "lost_response"}),
        ("finalize-lost", {"match": {"method": "POST", "path": "finalize"}, "action": "lost_response"}),
        ("customer-lost", {"match": {"method": "POST", "path": "^/v1/customers$"}, "action": "lost_response"}),
        ("retrieve-cut", {"match": {"method": "GET", "path": "^/v1/invoices/in_"}, "action": "truncated_body"}),
        ("create-429", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "429"}),
        ("create-500", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "500"}),
        (
            "create-500-done",
            {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "500", "committed": True},
        ),
        ("lines-500-done", {"match": {"method": "POST", "path": "add_lines"}, "action": "500", "committed": True}),
        ("lines-500", {"match": {"method": "POST", "path": "add_lines"}, "action": "500"}),
        ("finalize-500", {"match": {"method": "POST", "path": "finalize"}, "action": "500"}),
        ("create-503", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "503", "stored": False}),
    ],
)
async def test_a_fault_at_stripe_makes_neither_a_second_invoice_nor_none(
    system: System, name: str, fault: dict[str, Any]
) -> None:
    key = await one_day(system, f"team:{name}")
    await system.admin("faults", fault)

    await system.run_period(MAY)

    invoice = await system.invoice(key)
    assert (invoice.state, invoice.amount) == (InvoiceState.BILLED, DAY_CENTS)
    assert await stripe_ids(system, key) == [invoice.stripe_invoice_id]
    lines = await system.stripe.v1.invoices.line_items.list_async(invoice.stripe_invoice_id)
    assert [line.amount for line in lines.data] == [DAY_CENTS]


@pytest.mark.history("blocked-and-retried")
async def test_one_bad_account_waits_visibly_and_stops_no_other(system: System) -> None:
    bad = await one_day(system, "team:bad", customer="cus_nobody")
    good = await one_day(system, "team:good")
    handle = await system.start_period(MAY)

    await system.until_state(good, InvoiceState.BILLED)
    blocked = await system.until_state(bad, InvoiceState.BLOCKED)
    assert blocked.blocked_reason is not None
    assert "cus_nobody" in blocked.blocked_reason
    invoice_handle = system.client.get_workflow_handle(workflow_ids.invoice(bad))

    async def says_why() -> bool:
        details = await invoice_handle.query("__temporal_workflow_metadata")
        return "Blocked" in str(details) and "cus_nobody" in str(details)

    await until(says_why)
    found = system.client.list_workflows(f"InvoiceState = 'blocked' AND BillingPeriod = '{MAY}'")

    async def listed() -> bool:
        return [w.id async for w in found] == [workflow_ids.invoice(bad)]

    await until(listed)
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING

    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:bad"}})
    await system.add_account("team:bad", customer=customer.id)
    await store.record_customer(system.db, "team:bad", customer.id)
    await invoice_handle.signal(Signals.RETRY)

    outcome = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert outcome.progress.counts == {"billed": 2}
    assert (await system.invoice(bad)).amount == DAY_CENTS


@pytest.mark.history("polled")
async def test_a_webhook_that_never_comes_is_healed_by_polling(system: System) -> None:
    key = await one_day(system, "team:silent")
    system.settings = system.settings.model_copy(update={"finalization_poll_seconds": 0.3})
    await system.stop()
    await system.start()
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})

    await system.run_period(MAY)

    assert (await system.invoice(key)).state is InvoiceState.BILLED


async def test_a_webhook_delivered_twice_and_late_finds_nothing_to_do(system: System) -> None:
    key = await one_day(system, "team:double")
    await system.admin("webhook_faults", {"match": {"type": "invoice.finalized"}, "action": "double", "times": None})
    await system.run_period(MAY)
    await until_rested(system)
    before = await system.invoice(key)

    await system.stripe.v1.invoices.update_async(before.stripe_invoice_id, {"metadata": {"note": "noted"}})
    await until_rested(system)

    assert await system.invoice(key) == before


@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
async def test_a_lost_report_is_made_again_and_a_changed_one_blocks(system: System, tmp_path: Path, harm: str) -> None:
    key = await one_day(system, f"team:{harm}")
    system.settings = system.settings.model_copy(update={"finalization_poll_seconds": 600})
    await system.stop(STRIPE_QUEUE)
    handle = await system.start_period(MAY)

    async def published() -> str | None:
        record = await store.load_invoice(system.db, key)
        return record.report_id if record else None

    path = tmp_path / "reports" / await until(published)
    whole = path.read_bytes()
    changed = gzip.compress(gzip.decompress(whole).replace(b'"amount":864', b'"amount":863'), mtime=0)
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[:-20] if harm == "cut" else changed)
    await system.start(STRIPE_QUEUE)

    if harm != "missing":  # a missing report is written again; a changed one waits for a person
        blocked = await system.until_state(key, InvoiceState.BLOCKED)
        assert blocked.blocked_reason is not None
        assert blocked.blocked_reason.startswith("ReportError")
        path.write_bytes(whole)
        await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert path.read_bytes() == whole

    assert (await system.invoice(key)).state is InvoiceState.BILLED
    assert len(await stripe_ids(system, key)) == 1


async def test_a_lost_temporal_namespace_loses_no_money_and_bills_nothing_twice(system: System) -> None:
    keys = [await one_day(system, f"team:lost-{n}") for n in range(5)]
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    await system.start_period(MAY)
    for key in keys:
        await system.until_state(key, InvoiceState.DRAFT)
    await system.stop()
    await system.admin("faults", method="DELETE")

    system.client = await new_namespace(system.client)
    system.webhook._client = system.client
    await system.start()
    outcome = await system.run_period(MAY)

    assert outcome.progress.counts == {"billed": 5}
    for key in keys:
        assert len(await stripe_ids(system, key)) == 1


@pytest.mark.history("driven-elsewhere")
async def test_two_runs_over_the_same_accounts_claim_nothing_twice(system: System) -> None:
    keys = [await one_day(system, f"team:race-{n}") for n in range(6)]
    runs = [system.run_period(MAY)]
    for n in range(6):
        runs.append(_run_account(system, f"team:race-{n}"))
    await asyncio.gather(*runs)

    made = await system.until_settled(6)
    assert [invoice.key for invoice in made] == sorted(keys)
    for key in keys:
        assert len(await stripe_ids(system, key)) == 1


async def _run_account(system: System, attribution_id: str) -> Any:
    from contracts.messages.periods import PeriodInput, PeriodResult
    from contracts.names import Workflows

    return await system.client.execute_workflow(
        Workflows.BILLING_PERIOD,
        PeriodInput(period=MAY, attribution_id=attribution_id),
        id=workflow_ids.billing_period(MAY, attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=PeriodResult,
    )


@pytest.mark.history("voided")
async def test_a_voided_invoice_releases_its_usage_and_the_next_run_bills_it(system: System) -> None:
    key = await one_day(system, "team:void")
    await system.run_period(MAY)
    first = await system.invoice(key)

    await system.stripe.v1.invoices.void_invoice_async(first.stripe_invoice_id)
    await system.until_state(key, InvoiceState.VOIDED)
    await system.run_period(MAY)

    second = await system.invoice(f"{key}/2")
    assert (second.state, second.amount) == (InvoiceState.BILLED, DAY_CENTS)
    assert second.stripe_invoice_id != first.stripe_invoice_id


async def test_a_paid_invoice_is_paid_and_stays_paid(system: System) -> None:
    key = await one_day(system, "team:paid")
    await system.run_period(MAY)
    invoice = await system.invoice(key)

    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})

    assert (await system.until_state(key, InvoiceState.PAID)).paid_at is not None


async def test_an_event_of_an_invoice_that_postgres_does_not_know_is_identified_once(system: System) -> None:
    customer = await system.stripe.v1.customers.create_async({})
    key = f"{MAY}/team:unknown/period"
    stripe_invoice = await system.stripe.v1.invoices.create_async(
        {"customer": customer.id, "currency": "usd", "metadata": {"perdure_invoice": key}}
    )
    await system.stripe.v1.invoices.finalize_invoice_async(stripe_invoice.id)
    handle = system.client.get_workflow_handle(workflow_ids.invoice(key))

    async def rests() -> bool:
        found = [w.status async for w in system.client.list_workflows(f"WorkflowId = '{handle.id}'")]
        return bool(found) and all(status == WorkflowExecutionStatus.COMPLETED for status in found)

    await until(rests)
    assert (await handle.describe()).history_length < 20


async def test_a_report_lost_before_stripe_is_asked_is_published_again(system: System, tmp_path: Path) -> None:
    key = await one_day(system, "team:lostreport", customer="cus_nobody")
    handle = await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.report_id is not None
    (tmp_path / "reports" / blocked.report_id).unlink()

    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:lostreport"}})
    await system.add_account("team:lostreport", customer=customer.id)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)

    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    invoice = await system.invoice(key)
    assert (invoice.state, invoice.report_id) == (InvoiceState.BILLED, blocked.report_id)
