"""A month of usage becomes finalized Stripe invoices, once."""

from __future__ import annotations

import pytest
from temporalio.api.enums.v1 import EventType

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from tests.e2e.audits import audited
from tests.support.months import MAY
from tests.support.system import System
from tests.support.usage import one_day


@pytest.mark.history("happy")
async def test_a_period_is_billed_once_and_the_books_agree(system: System) -> None:
    await system.add_account("team:once", ("2022-05-01", None))
    await system.add_instance("once-1", "team:once", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.add_instance("once-2", "team:once", "2022-05-03T10:00", "2022-05-03T20:00", "xl")

    outcome = await system.run_period(MAY)

    assert outcome.progress.open == 0
    (invoice,) = await system.invoices()
    assert invoice.key == "2022-05/team:once/period"
    assert invoice.state is InvoiceState.BILLED
    # 24 h at 0.1666666667 credits/min = 240.000000 credits = 8.64 USD; 10 h xl = 200 credits = 7.20 USD
    assert [(line.rated.workspace_class, line.rated.amount) for line in invoice.lines] == [
        ("default", 864),
        ("xl", 720),
    ]
    assert invoice.amount == 1584

    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert stripe.status == "open"
    assert stripe.subtotal == 1584
    assert stripe.metadata.to_dict() == {
        "perdure_invoice": invoice.key,
        "attribution_id": "team:once",
        "billing_period": MAY,
        "report_id": invoice.report_id,
    }
    assert invoice.report_id is not None
    header, claims = await system.reports.read_claims(invoice.report_id)
    assert header.amount == 1584
    assert [claim.instance_id async for claim in claims] == ["once-1", "once-2"]


@pytest.mark.history("paced")
async def test_a_batch_starts_a_few_invoices_at_a_time(system: System) -> None:
    for number in range(10):
        await one_day(system, f"team:paced-{number}")

    outcome = await system.run_period(MAY)

    assert outcome.progress.counts == {"billed": 10}
    batch = system.client.get_workflow_handle(workflow_ids.billing_batch(workflow_ids.billing_period(MAY), 1))
    in_flight, most = 0, 0
    for event in (await batch.fetch_history()).events:
        in_flight += event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
        in_flight -= event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
        most = max(most, in_flight)
    assert (in_flight, most) == (0, 8)
    shown = str(await batch.query("__temporal_workflow_metadata"))
    assert "10 invoices: 10 settled, 0 in progress, 0 waiting for a person or for Stripe, 0 driven elsewhere. " in shown


async def test_a_second_run_makes_nothing(system: System) -> None:
    await system.add_account("team:twice", ("2022-05-01", None))
    await system.add_instance("twice-1", "team:twice", "2022-05-03T10:00", "2022-05-04T10:00")

    await system.run_period(MAY)
    first = await system.books()
    second_outcome = await system.run_period(MAY)

    assert second_outcome.invoices == 0
    assert await system.books() == first
    assert len(await _stripe_invoices_of(system, "team:twice")) == 1


async def test_late_usage_of_may_is_billed_by_june(system: System) -> None:
    await system.add_account("team:late", ("2022-05-01", None))
    await system.add_instance("late-1", "team:late", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    await system.add_instance("late-2", "team:late", "2022-05-20T00:00", "2022-05-21T00:00")

    await system.run_period(MAY)
    assert len(await system.invoices()) == 1
    await system.run_period("2022-06")

    may, june = await system.invoices()
    assert (may.amount, june.amount) == (864, 864)
    assert june.key == "2022-06/team:late/period"
    assert [line.carried_us for line in june.lines] == [24 * 3_600_000_000]


async def test_an_instance_that_straddles_months_is_billed_in_both_to_the_microsecond(system: System) -> None:
    await system.add_account("team:straddle", ("2022-05-01", None))
    await system.add_instance("straddle", "team:straddle", "2022-05-31T00:00:00.000001", None)
    await system.run_period(MAY)
    await system.add_instance("straddle", "team:straddle", "2022-05-31T00:00:00.000001", "2022-06-01T12:00:00.000003")
    await system.run_period("2022-06")

    may, june = await system.invoices()
    assert may.lines[0].rated.duration_us == 24 * 3_600_000_000 - 1
    assert june.lines[0].rated.duration_us == 12 * 3_600_000_000 + 3


async def test_usage_below_the_minimum_charge_is_carried_to_the_next_period(system: System) -> None:
    await system.add_account("team:small", ("2022-05-01", None))
    await system.add_instance("small-1", "team:small", "2022-05-03T10:00", "2022-05-03T11:00")

    outcome = await system.run_period(MAY)
    assert outcome.progress.below_minimum == 1
    assert await system.invoices() == []
    await system.add_instance("small-2", "team:small", "2022-06-03T10:00", "2022-06-03T11:00")
    await system.run_period("2022-06")

    (june,) = await system.invoices()
    assert june.lines[0].rated.duration_us == 2 * 3_600_000_000


async def _stripe_invoices_of(system: System, attribution_id: str) -> list[dict[str, object]]:
    return [i for i in await system.stripe_invoices() if i["metadata"].get("attribution_id") == attribution_id]


@pytest.mark.parametrize("account", ["acme", "42", "2022-05", "org_01HX=a+b~c@d:e.f-"])
async def test_any_id_of_a_customer_is_billed(system: System, account: str) -> None:
    key = await one_day(system, account)
    await system.run_period(MAY)
    invoice = await system.invoice(key)
    assert (invoice.state, invoice.attribution_id) == (InvoiceState.BILLED, account)
    assert invoice.report_id is not None
    header, _ = await system.reports.read_claims(invoice.report_id)
    assert header.attribution_id == account
    assert (await audited(system, attribution_id=account)).completed
