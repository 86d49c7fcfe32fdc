"""Accounts and windows from Stripe alone: for first use, and after a database was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from billing.invoice.states import InvoiceState
from billing.usage.details import CustomerDetails
from billing.usage.rows import AccountRow
from contracts import workflow_ids
from contracts.messages.subscriptions import AccountsSyncInput, AccountsSyncResult
from contracts.names import BILLING_QUEUE, Workflows
from storage.accounts.accounts import AccountRecord, list_accounts, upsert_accounts
from storage.lookup.naming import names_of
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.system import System, at

LONG_AGO = at("2022-01-01")


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    """Yield subscribers whose events never arrive: only the sync reads Stripe."""
    await system.admin("webhook_faults", {"match": {"type": "^customer"}, "action": "drop", "times": None})
    async with subscribing(system) as found:
        yield found
    page = await system.stripe.v1.customers.list_async({"limit": 100})
    customers = [customer.id async for customer in page.auto_paging_iter()]
    for start in range(0, len(customers), 20):
        chunk = customers[start : start + 20]
        await asyncio.gather(*(system.stripe.v1.customers.delete_async(customer) for customer in chunk))


async def sync(system: System, bill_after: datetime | None = None) -> AccountsSyncResult:
    """Do the work of `perdure accounts sync [--bill-after]`."""
    outcome: AccountsSyncResult = await system.client.execute_workflow(
        Workflows.ACCOUNTS_SYNC,
        AccountsSyncInput(bill_after=bill_after or datetime.now(UTC)),
        id=workflow_ids.ACCOUNTS_SYNC,
        task_queue=BILLING_QUEUE,
        result_type=AccountsSyncResult,
    )
    return outcome


async def known(they: Subscribers, attribution_id: str) -> AccountRecord:
    account = await they.account(attribution_id)
    assert account is not None
    return account


async def test_more_customers_than_a_page_holds_and_again_is_nothing_new(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    for start in range(0, 230, 23):
        await asyncio.gather(*(they.customer(attribution_id=f"team:m{n}") for n in range(start, start + 23)))
    await asyncio.gather(*(they.customer() for _ in range(5)))

    first = await sync(system, LONG_AGO)
    stored = await list_accounts(system.db)
    again = await sync(system)

    assert (first.seen, first.stored, first.faults) == (235, 230, [])
    assert again == first
    assert {account.attribution_id for account in stored} == {f"team:m{n}" for n in range(230)}
    assert {account.bill_after for account in stored} == {LONG_AGO}
    assert await list_accounts(system.db) == stored


@pytest.mark.history("synced")
@pytest.mark.waits
async def test_windows_of_customers_that_came_and_went(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:went")
    first = await they.subscribe(customer, currency="eur")
    await they.clock("2022-05-05")
    await they.cancel(first)
    await they.clock("2022-05-10")
    await they.subscribe(customer, currency="eur")

    before = datetime.now(UTC)
    await sync(system)

    await they.until_windows("team:went", ("2022-05-03", "2022-05-05"), ("2022-05-10", None))
    account = await known(they, "team:went")
    assert (account.stripe_customer_id, account.currency) == (customer, "eur")
    assert account.bill_after is not None
    # Adoption never bills the past by surprise.
    assert before - timedelta(seconds=1) <= account.bill_after <= datetime.now(UTC)


async def test_known_accounts_keep_what_they_have(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:kept")
    await they.subscribe(customer)
    by_file = await they.customer()
    await they.subscribe(by_file)
    await system.add_account("team:kept", currency="usd", bill_after=at("2022-05-04"))
    await system.add_account("team:by-file", customer=by_file, bill_after=at("2022-05-06"))

    assert (await sync(system)).faults == []

    assert [(await known(they, team)).bill_after for team in ("team:kept", "team:by-file")] == [
        at("2022-05-04"),
        at("2022-05-06"),
    ]
    assert (await known(they, "team:kept")).stripe_customer_id == customer
    # A customer without an account name is found by its account.
    for team in ("team:kept", "team:by-file"):
        await they.until_windows(team, ("2022-05-03", None))


async def test_a_subscription_names_the_account_when_its_customer_does_not(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-03")
    customer = await they.customer()
    await they.subscribe(customer, metadata={"attribution_id": "team:by-sub"})
    await they.subscribe(await they.customer(), metadata={"attribution_id": "by sub"})
    await they.subscribe(await they.customer())

    outcome = await sync(system, LONG_AGO)

    assert (outcome.seen, outcome.stored) == (3, 1)
    assert ["by sub" in fault and "is not an attribution id" in fault for fault in outcome.faults] == [True]
    assert (await known(they, "team:by-sub")).stripe_customer_id == customer
    await they.until_windows("team:by-sub", ("2022-05-03", None))


async def test_what_cannot_be_adopted_is_reported_and_stops_nothing_else(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-03")
    malformed = await they.customer(attribution_id="team/blue")
    twice = await they.customer(attribution_id="team:twice")
    await they.subscribe(twice)
    other = await they.customer(attribution_id="team:twice")
    both = await they.customer(attribution_id="team:both")
    await they.subscribe(both)
    await they.clock("2022-05-05")
    second = await they.subscribe(both)
    await they.customer(attribution_id="team:fine")

    outcome = await sync(system)
    again = await sync(system)

    assert again.faults == outcome.faults
    reported = {subject: [fault for fault in outcome.faults if subject in fault] for subject in (malformed, second)}
    assert len(outcome.faults) == 3
    assert [("'team/blue' is not an attribution id" in fault) for fault in reported[malformed]] == [True]
    assert [("overlapping windows" in fault) for fault in reported[second]] == [True]
    (paid,) = [fault for fault in outcome.faults if "team:twice" in fault]
    assert f"{other}): the account is paid by customer {twice}" in paid
    assert (await known(they, "team:twice")).stripe_customer_id == twice
    await they.until_windows("team:both", ("2022-05-03", None))
    await they.until_windows("team:fine")


async def test_a_name_is_stripes_until_one_is_imported_and_is_in_two_activities_alone(
    system: System, they: Subscribers
) -> None:
    named = await they.customer(attribution_id="team:named")
    by_subscription = await they.customer()
    await they.subscribe(by_subscription, metadata={"attribution_id": "team:subscribed"})
    for customer, name in ((named, "Canary GmbH"), (by_subscription, "Canary AG")):
        await system.stripe.v1.customers.update_async(customer, {"name": name})
    await sync(system)
    assert await names_of(system.db, ["team:named", "team:subscribed"]) == {
        "team:named": "Canary GmbH",
        "team:subscribed": "Canary AG",
    }
    handle = system.client.get_workflow_handle(workflow_ids.ACCOUNTS_SYNC)
    holders = {
        event.WhichOneof("attributes") async for event in handle.fetch_history_events() if "Canary" in str(event)
    }
    assert holders == {"activity_task_scheduled_event_attributes", "activity_task_completed_event_attributes"}

    await system.stripe.v1.customers.update_async(named, {"name": "Canary SE"})
    await sync(system)
    assert await names_of(system.db, ["team:named"]) == {"team:named": "Canary SE"}
    row = AccountRow(1, "team:named", None, "usd", details=CustomerDetails(name="Imported GmbH"))
    assert await upsert_accounts(system.db, [row]) == []
    await sync(system)
    assert await names_of(system.db, ["team:named"]) == {"team:named": "Imported GmbH"}


@pytest.mark.history("refilled")
async def test_a_lost_database_is_filled_again_and_billed(system: System, they: Subscribers) -> None:
    await they.clock("2022-05-01")
    customer = await they.customer(attribution_id="team:filled")
    subscription = await they.subscribe(customer)
    await they.clock("2022-05-20")
    await they.cancel(subscription)
    await sync(system, LONG_AGO)
    await system.add_instance("filled", "team:filled", "2022-05-19", None)

    await system.run_period("2022-05")

    (invoice,) = await system.invoices()
    assert (invoice.state, invoice.amount, invoice.stripe_customer_id) == (InvoiceState.BILLED, 864, customer)
