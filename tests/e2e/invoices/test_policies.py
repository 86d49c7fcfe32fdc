"""Invoices that wait for a person or for the end of the grace period, late usage, and limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.testing import TimeSkipper

from billing.invoice.policy import AccountPolicy, BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE, Signals, Updates
from storage.accounts import policies
from temporal.decisions import DecisionError, approve_period, decide
from tests.e2e.decisions import approve, details, drafted, live_in_stripe, void
from tests.support.months import JUNE, MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import DAY_CENTS, one_day


@pytest.mark.history("approved")
async def test_a_draft_waits_for_an_approval_at_the_figure_that_was_seen(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    key = await one_day(system, "team:approval", finalization=Finalization.APPROVAL)
    period = await system.start_period(MAY)
    invoice = await drafted(system, key)
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    assert (stripe.status, stripe.auto_advance) == ("draft", False)

    with pytest.raises(DecisionError, match=r"now totals 8\.64 USD, not 0\.01 USD"):
        await approve(system, key, 1)
    with pytest.raises(DecisionError, match="name the person who decides"):
        await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by=" "))
    assert "invoices approve" in await details(system.client, key)
    assert (await system.invoice(key)).state is InvoiceState.DRAFT

    await approve(system, key, DAY_CENTS)
    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    billed = await system.invoice(key)
    assert (billed.state, billed.approved_by, billed.approved_amount) == (InvoiceState.BILLED, "ann", DAY_CENTS)
    with pytest.raises(DecisionError, match="does not wait for an approval"):
        await approve(system, key, DAY_CENTS + 1)
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.history("amended")
@pytest.mark.waits
async def test_late_usage_is_put_on_a_draft_that_waits(system: System) -> None:
    key = await one_day(system, "team:amended", finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    first = await drafted(system, key)
    await system.add_instance("late", "team:amended", "2022-05-05T10:00", "2022-05-06T10:00")
    await system.add_instance("late-xl", "team:amended", "2022-05-05T10:00", "2022-05-06T10:00", "xl")
    period = await system.client.get_workflow_handle(workflow_ids.billing_period(MAY)).describe()
    await system.client.get_workflow_handle(period.id).signal(Signals.RUN_AGAIN)

    async def amended() -> InvoiceRecord | None:
        found = await system.invoice(key)
        return found if found.state is InvoiceState.DRAFT and found.amount == 4 * DAY_CENTS else None

    second = await until(amended)
    assert (second.revision, second.stripe_invoice_id) == (2, first.stripe_invoice_id)
    assert second.report_id != first.report_id
    stripe = await system.stripe.v1.invoices.retrieve_async(second.stripe_invoice_id)
    assert (stripe.status, stripe.subtotal, len(stripe.lines.data)) == ("draft", 4 * DAY_CENTS, 2)
    assert stripe.metadata["report_id"] == second.report_id
    await approve(system, key, 4 * DAY_CENTS)
    assert (await system.until_state(key, InvoiceState.BILLED)).amount == 4 * DAY_CENTS


@pytest.mark.history("grace")
@pytest.mark.waits
async def test_stripes_grace_ends_by_itself_with_the_late_usage_on_it(system: System) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"finalization_grace_hours": 12.0})
    await system.start(BILLING_QUEUE)
    key = await one_day(system, "team:grace", finalization=Finalization.GRACE)
    period = await replace(system, client=TimeSkipper(system.client).client).start_period(MAY)
    claimed = await system.until_state(key, InvoiceState.CLAIMED)
    assert claimed.finalize_at is not None
    assert timedelta(hours=11) < claimed.finalize_at - claimed.claimed_at <= timedelta(hours=12)
    await system.add_instance("grace-late", "team:grace", "2022-05-05T10:00", "2022-05-06T10:00")
    await system.start(STRIPE_QUEUE)

    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    billed = await system.invoice(key)
    assert (billed.state, billed.amount, billed.revision) == (InvoiceState.BILLED, 2 * DAY_CENTS, 2)
    assert [i["subtotal"] for i in await live_in_stripe(system, key)] == [2 * DAY_CENTS]


@pytest.mark.history("braked")
@pytest.mark.waits
async def test_a_limit_stops_an_invoice_before_stripe_hears_of_it(system: System) -> None:
    key = await one_day(system, "team:limit", limit_amount=DAY_CENTS - 1)
    other = await one_day(system, "team:small", limit_amount=DAY_CENTS)
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.blocked_kind is BlockedKind.LIMIT
    assert blocked.blocked_reason == "the invoice totals 8.64 USD, above the limit of 8.63 USD"
    await system.until_state(other, InvoiceState.BILLED)
    assert await live_in_stripe(system, key) == []

    # A retry is not an approval.
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await until_rested(system)
    assert (await system.invoice(key)).state is InvoiceState.BLOCKED

    await approve(system, key, DAY_CENTS)
    assert (await system.until_state(key, InvoiceState.BILLED)).approved_amount == DAY_CENTS


async def test_limits_compare_with_the_period_before_and_with_what_is_carried_over(system: System) -> None:
    may = await one_day(system, "team:double", limit_multiple=Decimal("1.5"))
    await system.run_period(MAY)
    await policies.write_policy(system.db, "team:double", AccountPolicy(limit_carried_share=Decimal("0.4")))
    await system.add_instance("double-late", "team:double", "2022-05-05T10:00", "2022-05-06T10:00")
    await system.add_instance("double-june", "team:double", "2022-06-05T10:00", "2022-06-06T10:00")
    await system.start_period(JUNE)
    june = f"{JUNE}/team:double/period"
    blocked = await system.until_state(june, InvoiceState.BLOCKED)
    assert blocked.blocked_reason == (
        "8.64 USD of 17.28 USD is usage carried over from earlier periods, more than 40.0%"
    )
    assert (await system.invoice(may)).state is InvoiceState.BILLED
    await void(system, june)
    await system.until_state(june, InvoiceState.DELETED)
    await policies.write_policy(system.db, "team:double", AccountPolicy(limit_multiple=Decimal("1.5")))
    await system.run_period_until_blocked(JUNE)
    again = await system.until_state(f"{june}/2", InvoiceState.BLOCKED)
    assert again.blocked_reason == "the invoice totals 17.28 USD, more than 1.5 times the previous total of 8.64 USD"
    await approve(system, again.key, 2 * DAY_CENTS)
    await system.until_state(again.key, InvoiceState.BILLED)


@pytest.mark.history("held")
async def test_a_whole_period_is_held_before_any_of_it_is_claimed(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "perdure.periods")
    await system.stop()
    system.settings = system.settings.model_copy(update={"limit_period_amount": "usd=17.27"})
    await system.start()
    await one_day(system, "team:one")
    await one_day(system, "team:two")
    period = await system.start_period(MAY)

    async def held() -> policies.PeriodHold | None:
        found = await policies.read_hold(system.db, MAY)
        return found if found and found.reason else None

    hold = await until(held)
    assert hold.reason == "the period in USD totals 17.28 USD, above the limit of 17.27 USD"
    assert hold.totals == {"usd": 2 * DAY_CENTS}
    assert await system.invoices() == []
    with pytest.raises(DecisionError, match="totals of 2022-05 have changed"):
        await approve_period(system.client, MAY, {"usd": 1}, "ann")

    # Usage that arrives after the approval was not approved: the run is held again.
    await approve_period(system.client, MAY, hold.totals, "ann")
    await asyncio.wait_for(period.result(), GIVE_UP_SECONDS)
    assert [i.amount for i in await system.invoices()] == [DAY_CENTS, DAY_CENTS]
    await system.add_account("team:three", ("2022-05-01", None))
    await system.add_instance("three", "team:three", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.start_period(MAY)
    assert (await until(held)).totals == {"usd": 3 * DAY_CENTS}
    said = [(r.message, vars(r).get("by")) for r in caplog.records if r.name == "perdure.periods"]
    assert said[:5] == [
        ("period started", None),
        ("period held", None),
        ("period approved", "ann"),
        ("period released", None),
        ("period settled", None),
    ]
