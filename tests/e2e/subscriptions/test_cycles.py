"""Cycles from any day to any day: what each draft bills, and usage of cycles that are longer than a month."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.invoice.policy import Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from tests.e2e.audits import audited
from tests.e2e.subscribers import FEE, Subscribers, subscribed, subscribing
from tests.support.losing import perdure
from tests.support.system import System, at
from tests.support.until import until
from tests.support.usage import DAY_CENTS

BILLED = (InvoiceState.BILLED, InvoiceState.PAID)


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    await system.admin("settings", {"subscription_invoices": True})
    async with subscribing(system) as found:
        yield found
    await system.admin("settings", {"subscription_invoices": False})


async def billed(system: System, count: int) -> list[InvoiceRecord]:
    """Wait for so many billed invoices, oldest cutoff first."""

    async def there() -> list[InvoiceRecord] | None:
        found = sorted(await system.invoices(), key=lambda each: each.cutoff)
        return found if len(found) == count and all(each.state in BILLED for each in found) else None

    return await until(there)


async def periods(system: System, invoice: InvoiceRecord) -> list[tuple[int, str, str]]:
    """Return the lines of ours on the Stripe invoice: amount, start, end."""
    stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
    ours = [line for line in stripe.lines.data if "perdure_line" in line.metadata]
    return [(line.amount, _day(line.period.start), _day(line.period.end)) for line in ours]


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def carried(invoice: InvoiceRecord) -> int:
    return sum(line.carried_us for line in invoice.lines)


async def new_key(system: System, *known: str) -> str:
    """Wait for an invoice that is not known, and return its key."""

    async def there() -> str | None:
        return next((each.key for each in await system.invoices() if each.key not in known), None)

    return await until(there)


async def fees(system: System, subscription: str) -> list[tuple[str, int]]:
    """Return Stripe's invoices for the subscription: reason and subtotal, oldest first."""
    found = await system.stripe.v1.invoices.list_async({"subscription": subscription, "limit": 100})
    return [(each.billing_reason, each.subtotal) for each in reversed(found.data)]


async def test_a_cycle_from_the_tenth_is_not_held_for_its_first_weeks(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:tenth", limit_carried_share=Decimal("0.5"))
    await they.clock("2022-06-10T00:10")
    (invoice,) = await billed(system, 1)
    assert (carried(invoice), invoice.service_start, invoice.cutoff) == (0, at("2022-05-10"), at("2022-06-10"))
    assert await periods(system, invoice) == [(DAY_CENTS, "2022-05-10", "2022-06-10")]
    header, claims = await system.reports.read_claims(invoice.report_id or "")
    await claims.aclose()
    assert header.service_start == at("2022-05-10")
    explained = (await perdure(system, "explain", "team:tenth-1", "--json")).document["intervals"]
    assert [("carried" in each["why"], each["fate"]) for each in explained] == [(False, "billed")]
    words = (await perdure(system, "explain", "--invoice", invoice.key)).out
    assert (
        "Period:          2022-06, from 2022-05-10 00:00:00 UTC up to 2022-06-10 00:00:00 UTC (subscription)" in words
    )
    assert "All usage of team:tenth from 2022-05-10 00:00:00 UTC to 2022-06-10 00:00:00 UTC:" in words

    # Usage from before the cycle is carried, and counts for the limit.
    await system.add_instance("late", "team:tenth", "2022-05-15", "2022-05-17")
    await system.add_instance("june", "team:tenth", "2022-06-20", "2022-06-21")
    await they.clock("2022-07-10T00:10")
    held = await system.until_state(await new_key(system, invoice.key), InvoiceState.BLOCKED)
    assert carried(held) == 2 * 24 * 3_600_000_000
    assert "is usage carried over from earlier periods" in (held.blocked_reason or "")
    assert (await audited(system)).findings == []


async def test_a_year_of_fees_and_usage_each_month(system: System, they: Subscribers) -> None:
    yearly = await subscribed(system, they, "team:year", since="2022-05-01", interval="year")
    await system.add_instance("june", "team:year", "2022-06-10", "2022-06-12")
    await they.clock("2022-07-02")
    await they.until_rested(yearly)
    (interval,) = (await perdure(system, "explain", "june", "--json")).document["intervals"]
    assert interval["billed_by"] == "2022-06"
    for month in ("2022-05", "2022-06"):
        await system.run_period(month)
    may, june = await billed(system, 2)
    assert [(each.key, each.amount) for each in (may, june)] == [
        ("2022-05/team:year/period", DAY_CENTS),
        ("2022-06/team:year/period", 2 * DAY_CENTS),
    ]
    assert await periods(system, may) == [(DAY_CENTS, "2022-05-01", "2022-06-01")]

    # Stripe's draft at the year's end takes nothing: the month's run bills the rest.
    await system.add_instance("april", "team:year", "2023-04-10", "2023-04-11")
    await they.clock("2023-05-01T02:00")
    await they.until_rested(yearly)
    assert await fees(system, yearly) == [("subscription_create", FEE), ("subscription_cycle", FEE)]
    await system.run_period("2023-04")
    assert [each.amount for each in await billed(system, 3)] == [DAY_CENTS, 2 * DAY_CENTS, DAY_CENTS]
    assert (await audited(system)).findings == []


async def test_a_weekly_draft_bills_its_week(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:week", since="2022-05-18", interval="week")
    await system.add_instance("week-2", "team:week", "2022-05-30", "2022-06-02")
    await they.clock("2022-05-25T00:10")
    await billed(system, 1)
    await they.clock("2022-06-01T00:10")
    await billed(system, 2)
    await they.clock("2022-06-08T00:10")
    found = await billed(system, 3)
    assert [each.amount for each in found] == [DAY_CENTS, 2 * DAY_CENTS, DAY_CENTS]
    assert [carried(each) for each in found] == [0, 0, 0]
    assert [await periods(system, each) for each in found] == [
        [(DAY_CENTS, "2022-05-18", "2022-05-25")],
        [(2 * DAY_CENTS, "2022-05-25", "2022-06-01")],
        [(DAY_CENTS, "2022-06-01", "2022-06-08")],
    ]


async def test_a_cycle_from_the_31st_ends_with_the_month(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:end", since="2022-03-31")
    await they.clock("2022-04-30T00:10")
    await they.clock("2022-05-31T00:10")
    (first,) = await billed(system, 1)
    assert (first.service_start, first.cutoff, carried(first)) == (at("2022-04-30"), at("2022-05-31"), 0)
    assert await periods(system, first) == [(DAY_CENTS, "2022-04-30", "2022-05-31")]


async def test_the_first_cycle_after_a_trial_begins_with_it(system: System, they: Subscribers) -> None:
    """Neither the free first invoice nor the draft at the trial's end has usage of the trial."""
    tried = await subscribed(system, they, "team:trial", since="2022-05-01", trial_until="2022-05-15")
    await system.add_instance("trial-0", "team:trial", "2022-05-03", "2022-05-04")
    await they.clock("2022-05-15T00:10")
    await they.until_rested(tried)
    assert await system.invoices() == []
    await they.clock("2022-06-15T00:10")
    (invoice,) = await billed(system, 1)
    assert (invoice.amount, invoice.service_start, carried(invoice)) == (DAY_CENTS, at("2022-05-15"), 0)
    assert await periods(system, invoice) == [(DAY_CENTS, "2022-05-15", "2022-06-15")]
    assert await fees(system, tried) == [
        ("subscription_create", 0),
        ("subscription_cycle", FEE),
        ("subscription_cycle", DAY_CENTS + FEE),
    ]


async def test_of_a_month_and_a_year_on_one_subscription_the_month_counts(system: System, they: Subscribers) -> None:
    mixed = await subscribed(system, they, "team:mixed", since="2022-05-01", interval="year")
    added: Any = {"items": [{"price_data": await they.price()}]}
    await system.stripe.v1.subscriptions.update_async(mixed, added)
    await they.until_rested(mixed)
    await they.clock("2022-06-01T00:10")
    (invoice,) = await billed(system, 1)
    assert (invoice.reason, invoice.service_start) == ("subscription", None)
    assert await periods(system, invoice) == [(DAY_CENTS, "2022-05-01", "2022-06-01")]
    await system.run_period("2022-05")
    assert len(await billed(system, 1)) == 1


async def test_after_a_moved_anchor_the_cut_cycle_is_carried(system: System, they: Subscribers) -> None:
    moved = await subscribed(system, they, "team:moved")
    await they.clock("2022-05-25")
    anchor: Any = {"billing_cycle_anchor": "now", "proration_behavior": "none"}
    await system.stripe.v1.subscriptions.update_async(moved, anchor)
    await they.until_rested(moved)
    await system.add_instance("moved-2", "team:moved", "2022-06-01", "2022-06-03")
    await they.clock("2022-06-25T00:10")
    (invoice,) = await billed(system, 1)
    assert (invoice.amount, invoice.service_start) == (3 * DAY_CENTS, at("2022-05-25"))
    assert carried(invoice) == 24 * 3_600_000_000
    assert [reason for reason, _ in await fees(system, moved)] == [
        "subscription_create",
        "subscription_update",
        "subscription_cycle",
    ]
    assert (await audited(system)).findings == []


async def test_from_monthly_to_yearly_and_back_bills_nothing_twice(system: System, they: Subscribers) -> None:
    changed = await subscribed(system, they, "team:both", since="2022-05-01")
    await they.clock("2022-05-25")

    async def change(interval: str) -> None:
        found = await system.stripe.v1.subscriptions.retrieve_async(changed)
        items = [{"id": found["items"].data[0].id, "price_data": await they.price(interval=interval)}]
        anchor: Any = {"billing_cycle_anchor": "now", "proration_behavior": "none", "items": items}
        await system.stripe.v1.subscriptions.update_async(changed, anchor)
        await they.until_rested(changed)

    await change("year")
    await system.add_instance("both-2", "team:both", "2022-05-28", "2022-06-02")
    await they.clock("2022-06-02")
    await system.run_period("2022-05")
    (may,) = await billed(system, 1)
    assert (may.key, may.amount) == ("2022-05/team:both/period", 5 * DAY_CENTS)
    await they.clock("2022-06-20")
    await change("month")
    await system.run_period("2022-05")
    await they.clock("2022-07-20T00:10")
    _, draft = await billed(system, 2)
    assert (draft.reason, draft.amount, draft.service_start) == ("subscription", DAY_CENTS, at("2022-06-20"))
    assert (await audited(system)).findings == []


async def test_late_usage_of_a_waiting_draft_is_added_to_its_cycle(system: System, they: Subscribers) -> None:
    await subscribed(system, they, "team:wait", finalization=Finalization.APPROVAL)
    await they.clock("2022-06-10T00:10")
    draft = await system.until_state(await new_key(system), InvoiceState.DRAFT)
    await system.add_instance("wait-2", "team:wait", "2022-06-01", "2022-06-02")
    await system.run_period_until_blocked("2022-06")

    async def amended() -> InvoiceRecord | None:
        found = await system.invoice(draft.key)
        return found if found.revision == 2 and found.state is InvoiceState.DRAFT else None

    again = await until(amended)
    assert (again.amount, again.service_start, carried(again)) == (2 * DAY_CENTS, at("2022-05-10"), 0)
    assert await periods(system, again) == [(2 * DAY_CENTS, "2022-05-10", "2022-06-10")]
