"""Without webhooks, the catch-up reads Stripe's events instead, in order and without a burst of requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowExecutionStatus

from activities.stripe.events import types_wanted
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.events import CURSOR
from contracts.names import STRIPE_QUEUE
from reconciliation.event_types import CAUGHT_UP_EVENTS, ENABLED_EVENTS
from tests.cli.conftest import Perdure
from tests.e2e.catching_up import DROP_ALL, catch_up, start_catch_up
from tests.e2e.conftest import requests as logged
from tests.e2e.subscribers import Subscribers, subscribing
from tests.support.rest import unheard, until_rested
from tests.support.system import System, at
from tests.support.until import until

pytestmark = pytest.mark.waits
Log = pytest.LogCaptureFixture


@pytest.fixture
async def they(system: System) -> AsyncIterator[Subscribers]:
    """Yield subscribers of a deployment that has caught up once."""
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 0.0})
    await system.stop()
    await system.start()
    async with subscribing(system) as found:
        await found.clock("2022-05-01")
        await catch_up(system)
        await until_rested(system)
        yield found


async def requests(system: System) -> int:
    return int((await system.admin("requests?limit=0", method="GET"))["count"])


async def cursor(system: System) -> Any:
    async with system.db.transaction() as connection:
        return (await connection.execute(text("SELECT * FROM stripe_event_cursor"))).one()


async def billed(system: System, they: Subscribers, *teams: str) -> dict[str, str]:
    """Bill an open invoice for each team, with all webhooks delivered. Returns Stripe's ids by team."""
    for team in teams:
        customer = await they.customer(attribution_id=f"team:{team}")
        await system.add_account(f"team:{team}", ("2022-05-01", None), customer=customer)
        await system.add_instance(f"{team}-{customer}", f"team:{team}", "2022-05-03", "2022-05-04")
    await they.clock("2022-06-01")
    await system.run_period()
    await until_rested(system)
    invoices = {i.attribution_id.removeprefix("team:"): str(i.stripe_invoice_id) for i in await system.invoices()}
    return {team: invoices[team] for team in teams}


@pytest.mark.history("caught-up")
async def test_one_run_heals_all_that_the_webhook_missed(system: System, they: Subscribers, caplog: Log) -> None:
    invoices = await billed(system, they, "paid", "void", "lost", "quiet")
    await catch_up(system)
    await unheard(system)
    await they.clock("2022-06-02")
    await system.stripe.v1.invoices.pay_async(invoices["paid"], {"paid_out_of_band": True})
    await system.stripe.v1.invoices.void_invoice_async(invoices["void"])
    await system.stripe.v1.invoices.mark_uncollectible_async(invoices["lost"])
    new = await they.subscribe(await they.customer(attribution_id="team:new"))
    gone = await they.subscribe(await they.customer(attribution_id="team:gone"))
    await they.clock("2022-06-03")
    await they.cancel(gone)
    await until_rested(system)
    assert {i.state for i in await system.invoices()} == {InvoiceState.BILLED}
    assert await they.account("team:new") is None

    outcome = await catch_up(system)
    await until_rested(system)
    assert {i.attribution_id: i.state for i in await system.invoices()} == {
        "team:paid": InvoiceState.PAID,
        "team:void": InvoiceState.VOIDED,
        "team:lost": InvoiceState.UNCOLLECTIBLE,
        "team:quiet": InvoiceState.BILLED,
    }
    assert await they.windows("team:new") == [(at("2022-06-02"), None)]
    assert await they.windows("team:gone") == [(at("2022-06-02"), at("2022-06-03"))]
    account = await they.account("team:new")
    assert account is not None
    assert account.bill_after == at("2022-06-02"), (
        "the account is charged from its start, as if the webhook had arrived"
    )
    assert outcome.signalled == 5
    assert [vars(r)["events"] for r in caplog.records if r.message == "missed events delivered"] == [3]
    for subscription in (new, gone):
        assert (await they.workflow(subscription).describe()).status is WorkflowExecutionStatus.COMPLETED

    before = await requests(system)
    again = await catch_up(system)
    assert (again.events, again.signalled, again.satisfied) == (0, 0, 0)
    assert await requests(system) == before + 1


async def test_a_finalization_is_healed_before_the_invoice_asks_itself(system: System, they: Subscribers) -> None:
    system.settings = system.settings.model_copy(update={"finalization_poll_seconds": 3600.0})
    await system.stop()
    await system.start()
    await system.add_account("team:silent", ("2022-05-01", None))
    await system.add_instance("silent", "team:silent", "2022-05-03", "2022-05-04")
    await they.clock("2022-06-01")
    await system.admin("webhook_faults", DROP_ALL)
    run = await system.start_period()

    async def finalized() -> bool:
        invoices = [i for i in await system.stripe_invoices() if i["metadata"].get("attribution_id") == "team:silent"]
        return [i["status"] for i in invoices] == ["open"]

    await until(finalized)
    key = "2022-05/team:silent/period"
    assert (await system.invoice(key)).state is InvoiceState.DRAFT
    await catch_up(system)
    await system.until_state(key, InvoiceState.BILLED)
    await run.result()


async def test_three_days_without_a_worker(system: System, they: Subscribers) -> None:
    """The catch-up is in order, with one request for each changed invoice and a few for the events."""
    teams = [f"t{number:02}" for number in range(12)]
    invoices = await billed(system, they, *teams)
    await catch_up(system)
    await until_rested(system)
    await system.stop()
    await system.admin("webhook_faults", DROP_ALL)
    order = [*teams[::2], *reversed(teams[1::2])]
    for number, team in enumerate(order):
        await they.clock(f"2022-06-{2 + number // 4:02}T{number:02}:00")
        await system.stripe.v1.invoices.mark_uncollectible_async(invoices[team])
        if number % 3:
            await system.stripe.v1.invoices.pay_async(invoices[team], {"paid_out_of_band": True})
    begun = len(logged(system))

    await system.start()
    outcome = await catch_up(system)
    await until_rested(system)
    wanted = {
        f"team:{team}": InvoiceState.PAID if number % 3 else InvoiceState.UNCOLLECTIBLE
        for number, team in enumerate(order)
    }
    assert {i.attribution_id: i.state for i in await system.invoices()} == wanted
    asked = [one for one in logged(system, begun) if one["path"].startswith("/v1/invoices")]
    assert len(asked) <= len(teams)
    assert (outcome.pages, outcome.signalled) == (1, len(teams))
    expected = [workflow_ids.invoice(f"2022-05/team:{team}/period") for team in order]
    started = {each: (await system.client.get_workflow_handle(each).describe()).start_time for each in expected}
    assert sorted(started, key=lambda each: started[each]) == expected


async def test_what_the_webhook_received_wakes_nobody_again(system: System, they: Subscribers, caplog: Log) -> None:
    invoices = await billed(system, they, "received", "dead")
    await system.stripe.v1.invoices.pay_async(invoices["received"], {"paid_out_of_band": True})
    await system.stripe.v1.invoices.void_invoice_async(invoices["dead"])
    for team, state in (("received", InvoiceState.PAID), ("dead", InvoiceState.VOIDED)):
        await system.until_state(f"2022-05/team:{team}/period", state)
    await until_rested(system)
    before = await requests(system)
    outcome = await catch_up(system)
    assert (outcome.signalled, outcome.satisfied) == (0, 2)
    assert "missed events delivered" not in caplog.text
    assert await requests(system) == before + 1


async def test_the_cursor_moves_when_all_is_delivered_and_not_before(system: System, they: Subscribers) -> None:
    invoices = await billed(system, they, "cut")
    await catch_up(system)
    await until_rested(system)
    was = await cursor(system)
    await system.admin("webhook_faults", DROP_ALL)
    await system.stripe.v1.invoices.pay_async(invoices["cut"], {"paid_out_of_band": True})
    async with system.db.transaction() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$"
            )
        )
        await connection.execute(
            text("CREATE TRIGGER refuse BEFORE UPDATE ON stripe_event_cursor FOR EACH ROW EXECUTE FUNCTION refuse()")
        )
    handle = await start_catch_up(system)
    await system.until_state("2022-05/team:cut/period", InvoiceState.PAID)  # delivered ...
    assert await cursor(system) == was  # ... and not stored
    await handle.terminate()
    async with system.db.transaction() as connection:
        await connection.execute(text("DROP TRIGGER refuse ON stripe_event_cursor"))

    outcome = await catch_up(system)
    assert (outcome.signalled, outcome.satisfied) == (0, 1)
    assert (await cursor(system)).event_id != was.event_id
    assert (await catch_up(system)).events == 0


async def test_a_cursor_that_stripe_has_forgotten(system: System, they: Subscribers) -> None:
    invoices = await billed(system, they, "old")
    await system.admin("webhook_faults", DROP_ALL)
    await system.stripe.v1.invoices.pay_async(invoices["old"], {"paid_out_of_band": True})
    async with system.db.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE stripe_event_cursor SET event_id = 'evt_forgotten', event_created = '2022-03-01Z', "
                "updated_at = '2022-04-01Z'"
            )
        )
    outcome = await catch_up(system)
    await system.until_state("2022-05/team:old/period", InvoiceState.PAID)
    [note] = outcome.notes
    assert note.startswith("Stripe no longer has evt_forgotten of 2022-03-01 00:00 UTC: read from the oldest.")
    assert "events in between are gone" in note
    assert (await cursor(system)).event_id.startswith("evt_1")


async def test_the_first_run_reads_all_and_charges_nobody_for_the_past(system: System, they: Subscribers) -> None:
    """The run reads more than a page, oldest first; an account found by it is charged from that time on."""
    async with system.db.transaction() as connection:
        await connection.execute(text("DELETE FROM stripe_event_cursor"))
    await system.admin("webhook_faults", DROP_ALL)
    first = await they.subscribe(await they.customer(attribution_id="team:first"))
    for number in range(110):
        await they.clock(f"2022-05-{2 + number // 10:02}T{number % 10:02}:00")
        await they.touch(first) if number % 2 else await they.system.stripe.v1.subscriptions.update_async(
            first, {"metadata": {"touched": str(number)}}
        )
    last = await they.subscribe(await they.customer(attribution_id="team:last"))
    before = datetime.now(UTC)
    outcome = await catch_up(system)
    await until_rested(system)
    assert outcome.pages > 1
    assert outcome.events >= 112
    for team, subscription in (("team:first", first), ("team:last", last)):
        account = await they.account(team)
        assert account is not None, subscription
        assert account.bill_after is not None
        assert before - timedelta(seconds=1) <= account.bill_after <= datetime.now(UTC)
    assert (await catch_up(system)).events == 0


async def test_what_is_new_is_left_to_the_webhook(system: System, they: Subscribers) -> None:
    system.settings = system.settings.model_copy(update={"events_settle_seconds": 3600.0})
    await system.stop(STRIPE_QUEUE)
    await system.start(STRIPE_QUEUE)
    now = datetime.now(UTC)
    await they.clock(now.replace(tzinfo=None).isoformat())
    await they.subscribe(await they.customer(attribution_id="team:now"))
    assert (await catch_up(system)).events == 0


async def test_what_it_says_of_itself(system: System, they: Subscribers) -> None:
    await catch_up(system)
    handle = system.client.get_workflow_handle(workflow_ids.EVENTS_CATCH_UP)
    details = str(await handle.query("__temporal_workflow_metadata"))
    assert "Caught up" in details
    assert "This run: " in details
    assert (await cursor(system)).name == CURSOR


def test_stripe_is_asked_for_our_types_alone_as_long_as_it_takes_so_many() -> None:
    assert types_wanted(CAUGHT_UP_EVENTS) == {"types": CAUGHT_UP_EVENTS}
    assert set(CAUGHT_UP_EVENTS) < set(ENABLED_EVENTS)
    assert types_wanted([str(number) for number in range(21)]) == {}


async def test_by_hand(system: System, they: Subscribers, tmp_path: Path) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    perdure = Perdure(
        folder,
        {
            "TEMPORAL_ADDRESS": system.client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": system.client.namespace,
        },
    )
    await system.admin("webhook_faults", DROP_ALL)
    await they.subscribe(await they.customer(attribution_id="team:by-hand"))
    document = (await perdure("stripe", "catch-up", "--json")).document
    assert document == {
        "workflow_id": "stripe-events",
        "pages": 1,
        "events": 1,
        "foreign": 0,
        "signalled": 1,
        "satisfied": 0,
        "notes": [],
        "until": "2022-05-01T00:00:00.000000Z",
    }
    again = await perdure("stripe", "catch-up")
    assert again.out.startswith("Read 0 Stripe events: woke 0 workflows")
