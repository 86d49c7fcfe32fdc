"""Windows follow Stripe's subscriptions, and the final claim of a cancellation has its own invoice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from contracts.names import BILLING_QUEUE
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at
from tests.support.usage import DAY_CENTS

pytestmark = pytest.mark.waits

HOUR_US = 3_600_000_000


async def test_a_subscription_of_a_known_customer_opens_a_window(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-03T10:00")
    customer = await they.customer()
    await system.add_account("team:known", customer=customer, currency="eur", bill_after=at("2022-05-04"))

    subscription = await they.subscribe(customer, currency="eur")

    await they.until_windows("team:known", ("2022-05-03T10:00", None))
    await they.until_rested(subscription)
    account = await they.account("team:known")
    assert account is not None
    assert (account.stripe_customer_id, account.currency, account.bill_after) == (customer, "eur", at("2022-05-04"))


@pytest.mark.parametrize("named_by", ["customer", "subscription"])
async def test_an_unknown_account_is_made_and_charged_from_its_subscriptions_start(
    system: System, they: Subscribers, named_by: str
) -> None:
    team = f"team:new-by-{named_by}"
    await they.clock("2022-05-03T10:00")
    name = {"attribution_id": team}
    customer = await they.customer(**(name if named_by == "customer" else {}))
    await they.subscribe(customer, currency="eur", metadata={} if named_by == "customer" else name)

    await they.until_windows(team, ("2022-05-03T10:00", None))
    account = await they.account(team)
    assert account is not None
    assert (account.stripe_customer_id, account.currency) == (customer, "eur")
    assert account.bill_after == at("2022-05-03T10:00")


async def test_what_names_no_account_is_ignored_and_a_malformed_name_is_reported(
    system: System, they: Subscribers
) -> None:
    await they.clock("2022-05-03T10:00")
    foreign = await they.subscribe(await they.customer(other="yes"))
    malformed = await they.subscribe(await they.customer(attribution_id="team blue"))

    await they.until_rested(foreign)
    assert "ignored" in (await they.workflow(foreign).result())["note"]
    await they.until_says(malformed, "Blocked", "team blue", "is not an attribution id")
    async with system.db.transaction() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM account"))).scalar_one() == 0


async def test_a_cancellation_is_settled_at_once_and_the_rest_of_the_month_by_its_run(
    system: System, they: Subscribers
) -> None:
    """A subscriber cancels immediately and returns within the month; usage in between is not covered."""
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:back")
    first = await they.subscribe(customer)
    await they.until_windows("team:back", ("2022-05-03", None))
    await system.add_instance("back", "team:back", "2022-05-02", None)
    await they.clock("2022-05-05T12:00")
    await they.cancel(first)

    (settled,) = await system.until_settled(1)
    assert settled.key == f"2022-05/team:back/cancellation/{first}"
    assert (settled.cutoff, settled.state) == (at("2022-05-05T12:00"), InvoiceState.BILLED)
    assert [line.rated.duration_us for line in settled.lines] == [60 * HOUR_US]
    await they.until_rested(first)

    await they.clock("2022-05-10")
    await they.subscribe(customer)
    windows = ("2022-05-03", "2022-05-05T12:00"), ("2022-05-10", None)
    await they.until_windows("team:back", *windows)
    await system.run_period("2022-05")
    (period,) = [invoice for invoice in await system.invoices() if invoice.reason is InvoiceReason.PERIOD]
    assert [line.rated.duration_us for line in period.lines] == [22 * 24 * HOUR_US]


async def test_a_cancellation_at_the_periods_end_belongs_to_the_month_that_ended(
    system: System, they: Subscribers
) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:end")
    subscription = await they.subscribe(customer)
    await system.stripe.v1.subscriptions.update_async(subscription, {"cancel_at_period_end": True})
    await they.until_windows("team:end", ("2022-05-01", None))
    await system.add_instance("end", "team:end", "2022-05-31", "2022-06-02")
    await they.until_rested(subscription)
    assert await system.invoices() == []

    await they.clock("2022-06-03")

    (settled,) = await system.until_settled(1)
    assert settled.key == f"2022-05/team:end/cancellation/{subscription}"
    assert (settled.cutoff, settled.amount) == (at("2022-06-01"), DAY_CENTS)
    await they.until_windows("team:end", ("2022-05-01", "2022-06-01"))
    await system.run_period("2022-05")
    await system.run_period("2022-06")
    assert len(await system.invoices()) == 1


async def test_a_cancellation_with_too_little_usage_makes_no_invoice(system: System, they: Subscribers) -> None:
    """Its usage is carried over to the period's run, together with the usage before the return."""
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:little")
    first = await they.subscribe(customer)
    await system.add_instance("little", "team:little", "2022-05-03", "2022-05-03T01:00")
    await they.until_windows("team:little", ("2022-05-03", None))
    await they.clock("2022-05-05")
    await they.cancel(first)
    await they.until_rested(first)
    assert "less than the minimum" in (await they.workflow(first).result())["note"]
    assert await system.invoices() == []

    await they.clock("2022-05-10")
    await they.subscribe(customer)
    await they.until_windows("team:little", ("2022-05-03", "2022-05-05"), ("2022-05-10", None))
    await system.add_instance("more", "team:little", "2022-05-10", "2022-05-10T02:00")
    await system.run_period("2022-05")

    (invoice,) = await system.invoices()
    assert invoice.reason is InvoiceReason.PERIOD
    assert [line.rated.duration_us for line in invoice.lines] == [3 * HOUR_US]


FAULTS: dict[str, dict[str, Any]] = {
    "all-twice": {"match": {"type": ""}, "action": "double", "times": None},
    "all-late": {"match": {"type": "subscription"}, "action": "delay", "seconds": 0.5, "times": None},
    "created-after-updated": {"match": {"type": "subscription.created"}, "action": "reorder", "times": None},
    "created-lost": {"match": {"type": "subscription.created"}, "action": "drop", "times": None},
    "first-end-lost": {"match": {"type": "subscription.deleted"}, "action": "drop", "times": 1},
    "ends-late": {"match": {"type": "subscription.deleted"}, "action": "delay", "seconds": 1.5, "times": 1},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_happens_to_events_the_windows_and_invoices_are_the_same(
    system: System, they: Subscribers, fault: str
) -> None:
    team = f"team:{fault}"
    await they.clock("2022-05-03")
    await system.admin("webhook_faults", FAULTS[fault])
    customer = await they.customer(attribution_id=team)
    await system.add_instance(f"{fault}-1", team, "2022-05-03", None)
    first = await they.subscribe(customer)
    await they.touch(first)
    await they.until_windows(team, ("2022-05-03", None))
    await they.clock("2022-05-04")
    await they.cancel(first)
    await they.clock("2022-05-06")
    second = await they.subscribe(customer)
    await they.touch(second)

    await they.until_windows(team, ("2022-05-03", "2022-05-04"), ("2022-05-06", None))
    (settled,) = await system.until_settled(1)
    assert (settled.key, settled.amount) == (f"2022-05/{team}/cancellation/{first}", DAY_CENTS)
    await they.until_rested(second)
    await they.until_rested(first)
    assert await system.books() == [(settled.key, settled.state, settled.amount, settled.stripe_invoice_id)]
    account = await they.account(team)
    assert account is not None
    assert account.bill_after == at("2022-05-03")


async def test_events_that_waited_for_a_worker_charge_a_new_account_from_its_first_subscription(
    system: System, they: Subscribers
) -> None:
    """The result does not depend on which of its subscriptions is applied first."""
    await system.stop(BILLING_QUEUE)
    teams = [f"team:burst-{n}" for n in range(3)]
    for team in teams:
        await they.clock("2022-05-03")
        customer = await they.customer(attribution_id=team)
        await system.add_instance(f"{team}-1", team, "2022-05-03", None)
        first = await they.subscribe(customer)
        await they.clock("2022-05-04")
        await they.cancel(first)
        await they.clock("2022-05-06")
        await they.subscribe(customer)
    await system.admin("flush_webhooks", {})
    await system.start(BILLING_QUEUE)

    for team in teams:
        await they.until_windows(team, ("2022-05-03", "2022-05-04"), ("2022-05-06", None))
    invoices = await system.until_settled(len(teams))
    assert [(i.attribution_id, i.amount) for i in invoices] == [(team, DAY_CENTS) for team in teams]


async def test_a_cancellation_that_races_the_periods_run_bills_nothing_twice(system: System, they: Subscribers) -> None:
    teams = [f"team:racer-{n}" for n in range(4)]
    await they.clock("2022-05-03")
    subscriptions = []
    for team in teams:
        subscriptions.append(await they.subscribe(await they.customer(attribution_id=team)))
        await they.until_windows(team, ("2022-05-03", None))
        await system.add_instance(f"{team}-1", team, "2022-05-30", None)
    await they.clock("2022-06-03")

    await asyncio.gather(system.run_period("2022-05"), *(they.cancel(each) for each in subscriptions))

    for each in subscriptions:
        await they.until_rested(each)
    invoices = await _all_settled(system)
    for team in teams:
        # Two days of May and two of June, by one invoice or by two.
        theirs = [invoice for invoice in invoices if invoice.attribution_id == team]
        assert sum(invoice.amount for invoice in theirs) == 4 * DAY_CENTS
        assert sum(line.rated.duration_us for i in theirs for line in i.lines) == 4 * 24 * HOUR_US
        stripe = [i for i in await system.stripe_invoices() if i["metadata"].get("attribution_id") == team]
        assert sorted(i["id"] for i in stripe) == sorted(str(i.stripe_invoice_id) for i in theirs)


async def _all_settled(system: System) -> list[Any]:
    return await system.until_settled(len(await system.invoices()))
