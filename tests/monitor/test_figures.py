"""The metrics say what is in the database, read by a role that can only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.invoice.states import InvoiceState
from starter.monitor import postgres
from starter.monitor.gauges import Samples
from starter.monitor.monitor import Monitor
from starter.monitor.postgres import OwnSettings
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, move_invoice
from storage.monitor.figures import read_figures
from storage.periods.periods import write_summary
from storage.periods.published import publish
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.roles import READER
from storage.waiting.kinds import ELSEWHERE, WaitingKind
from storage.waiting.waiting import WaitingTerms
from tests.monitor.scraping import Sample, parsed, values
from tests.storage.usage import add_account, add_instances, card, execute, instance, may, scope
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role

WITHIN = timedelta(seconds=10)
OWN = OwnSettings({}, None, UTC)
LATER = may(34)


@pytest.fixture
async def reader(db: Database, module_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(as_role(module_database.urls[0], READER))
    yield database
    await database.close()


async def served(reader: Database, own: OwnSettings = OWN, now: datetime = LATER) -> list[Sample]:
    """Return what a monitor serves of the database as of `now`."""

    async def read() -> Samples:
        return postgres.samples(await read_figures(reader, WITHIN), own, now)

    monitor = Monitor({"postgres": read})
    return parsed((await monitor.page()).decode())


async def test_an_empty_database_owes_nothing(reader: Database) -> None:
    page = await served(reader)
    assert values(page, "perdure_metrics_up") == {("postgres",): 1}
    assert {name for name, _, _ in page} == {
        "perdure_metrics_up",
        "perdure_metrics_read_timestamp_seconds",
        "perdure_pending_facts",
    }


async def test_invoices_and_money_by_state(db: Database, reader: Database) -> None:
    for name, currency in (("a", "usd"), ("b", "usd"), ("c", "jpy"), ("d", "kwd")):
        await add_account(db, f"team:{name}", currency=currency)
        await add_instances(db, instance(name, may(2), may(3), attribution_id=f"team:{name}"))
    await claim_page(db, scope(), card())
    await block_invoice(db, "2022-05/team:b/period", "no customer")
    await move_invoice(db, "2022-05/team:c/period", InvoiceState.FINALIZED, may(33))
    await move_invoice(db, "2022-05/team:c/period", InvoiceState.BILLED, may(33))
    page = await served(reader)
    assert values(page, "perdure_invoices") == {
        ("usd", "2022-05", "blocked"): 1,
        ("usd", "2022-05", "claimed"): 1,
        ("jpy", "2022-05", "billed"): 1,
        ("kwd", "2022-05", "claimed"): 1,
    }
    amounts = values(page, "perdure_invoices_amount")  # in major units: of 2, no and 3 decimals
    assert (amounts["usd", "2022-05", "claimed"], amounts["jpy", "2022-05", "billed"]) == (14.40, 1440)
    assert amounts["kwd", "2022-05", "claimed"] == 14.40


async def _copy_to(db: Database, *periods: str) -> None:
    """Copy the claimed invoice of May 2022 to other periods."""
    await execute(
        db,
        "INSERT INTO invoice (key, attribution_id, billing_period, reason, state, cutoff, currency, amount, credits, "
        "rate_card_digest) SELECT period || key, attribution_id, period, reason, state, cutoff, currency, amount, "
        "credits, rate_card_digest FROM invoice, unnest(CAST(:periods AS text[])) AS period WHERE state = 'claimed'",
        periods=list(periods),
    )


async def test_labels_are_bounded(db: Database, reader: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    await claim_page(db, scope(), card())
    await _copy_to(db, *(f"{year}-{month:02d}" for year in (2020, 2021) for month in range(1, 13)))
    # Of periods older than the two newest, what has ended is not counted.
    await execute(db, "UPDATE invoice SET state = 'paid' WHERE billing_period IN ('2021-11', '2021-12', '2022-05')")
    found = values(await served(reader), "perdure_invoices")
    assert {period: count for (_, period, _), count in found.items()} == {
        "2022-05": 1,
        "2021-12": 1,
        **{f"2021-{month:02d}": 1 for month in range(1, 11)},
        "older": 12,
    }


async def test_a_period_that_is_not_settled(db: Database, reader: Database) -> None:
    await write_summary(db, "2022-04", {})
    await execute(db, "UPDATE period_summary SET settled_at = :at", at=may(2))
    page = await served(reader, now=may(15))
    assert values(page, "perdure_period_settled_timestamp_seconds") == {("2022-04",): may(2).timestamp()}
    assert values(page, "perdure_last_settled_timestamp_seconds") == {(): may(2).timestamp()}
    page = await served(reader, now=may(32))  # May has ended; nobody has run it
    assert values(page, "perdure_period_settled_timestamp_seconds") == {("2022-05",): 0}
    assert values(page, "perdure_period_end_timestamp_seconds") == {("2022-05",): may(32).timestamp()}
    await execute(
        db, "INSERT INTO period_hold (billing_period, reason, since, totals) VALUES ('2022-03', 'x', now(), '{}')"
    )
    page = await served(reader, now=may(32))
    assert values(page, "perdure_period_held") == {("2022-03",): 1}
    assert values(page, "perdure_period_settled_timestamp_seconds") == {("2022-03",): 0, ("2022-05",): 0}


async def test_sources_and_what_the_api_accepted(db: Database, reader: Database) -> None:
    await execute(
        db,
        "INSERT INTO source (name, kind, every, lag, complete_up_to, read_at, error, failing_since, removed_at) VALUES "
        "('shop', 'sql', '1h', '0', :at, :at, 'no route', :at, NULL), "
        "('new', 'sql', '1h', '0', NULL, NULL, NULL, NULL, NULL), "
        "('gone', 'sql', '1h', '0', :at, :at, 'no route', :at, :at)",
        at=may(3),
    )
    await execute(
        db,
        "INSERT INTO source_fault (source, subject, field, reason) "
        "VALUES ('shop', 'i', 'id', 'x'), ('shop', 'j', 'id', 'x')",
    )
    await execute(
        db,
        "INSERT INTO pending_fact (instance_id, at, source, kind, content, digest, received_at) VALUES "
        "('i', :at, 'crm', 'started', '{}', gen_random_uuid(), :at)",
        at=may(4),
    )
    page = await served(reader)
    assert values(page, "perdure_source_complete_timestamp_seconds") == {("shop",): may(3).timestamp()}
    assert values(page, "perdure_source_read_timestamp_seconds") == {("shop",): may(3).timestamp()}
    assert values(page, "perdure_source_failing_timestamp_seconds") == {("shop",): may(3).timestamp()}
    assert values(page, "perdure_source_refused_rows") == {("shop",): 2, ("new",): 0}
    assert values(page, "perdure_pending_facts") == {(): 1}
    assert values(page, "perdure_pending_facts_timestamp_seconds") == {(): may(4).timestamp()}


async def test_the_last_audit_of_everything(db: Database, reader: Database) -> None:
    for name, finished, findings in (("old", may(3), 7), ("new", may(4), 2), ("running", None, 9)):
        await execute(
            db,
            "INSERT INTO audit_run (id, stuck_after, started_at, finished_at) VALUES (:id, '3d', :at, :finished)",
            id=name, at=finished or may(5), finished=finished,
        )  # fmt: skip
        await execute(
            db,
            "INSERT INTO audit_check (audit_id, name, figures, discrepancies) VALUES "
            """(:id, 'conservation', '{"instances": 1, "runtime_us": 9, "unbilled_us": 1500000, "stale_us": 0}', :n)""",
            id=name, n=findings,
        )  # fmt: skip
    page = await served(reader)
    assert values(page, "perdure_audit_finished_timestamp_seconds") == {(): may(4).timestamp()}
    assert values(page, "perdure_audit_findings") == {("conservation",): 2}
    assert values(page, "perdure_usage_seconds") == {("unbilled",): 1.5, ("stale",): 0}


async def test_when_stripes_events_were_read(db: Database, reader: Database) -> None:
    await execute(
        db,
        "INSERT INTO stripe_event_cursor "
        "(name, event_id, event_created, updated_at, undelivered, undelivered_at, delivered_at) "
        "VALUES ('x', 'evt_1', :made, :read, 2, :made, :before)",
        made=may(3), read=may(4), before=may(2),
    )  # fmt: skip
    page = await served(reader)
    assert values(page, "perdure_stripe_last_event_timestamp_seconds") == {(): may(3).timestamp()}
    assert values(page, "perdure_stripe_events_read_timestamp_seconds") == {(): may(4).timestamp()}
    assert values(page, "perdure_stripe_undelivered_events") == {(): 2}
    assert values(page, "perdure_stripe_undelivered_timestamp_seconds") == {(): may(3).timestamp()}
    assert values(page, "perdure_stripe_delivered_timestamp_seconds") == {(): may(2).timestamp()}


async def test_settings_that_differ(db: Database, reader: Database) -> None:
    await publish(db, "billing", card(), {"CHARGE_ON": "own", "BILL_AFTER": ""})
    same = OwnSettings({"CHARGE_ON": "own"}, card().digest, UTC)
    assert values(await served(reader, same), "perdure_settings_differ") == {}
    other = OwnSettings({"CHARGE_ON": "subscription"}, card(price_per_credit={"usd": "2"}).digest, UTC)
    assert values(await served(reader, other), "perdure_settings_differ") == {
        ("billing", "RATE_CARD"): 1,
        ("billing", "CHARGE_ON"): 1,
    }
    no_card = OwnSettings({"CHARGE_ON": "own"}, None, UTC)
    assert values(await served(reader, no_card), "perdure_settings_differ") == {}


async def test_what_waits_by_kind(db: Database, reader: Database) -> None:
    for name, currency in (("a", "usd"), ("b", "usd"), ("c", "jpy")):
        await add_account(db, f"team:{name}", currency=currency)
        await add_instances(db, instance(name, may(2), may(3), attribution_id=f"team:{name}"))
    await claim_page(db, scope(), card())
    for name in ("a", "b", "c"):
        await block_invoice(db, f"2022-05/team:{name}/period", "no customer")
    await execute(db, "UPDATE invoice SET blocked_since = :at WHERE attribution_id = 'team:b'", at=may(33))

    terms = WaitingTerms(LATER, timedelta(days=3), timedelta(hours=1), "2022-05", may(1), may(32))
    samples = await postgres.read(reader, lambda: OWN, lambda _: terms)

    async def read() -> Samples:
        return samples

    page = parsed((await Monitor({"postgres": read}).page()).decode())
    things = values(page, "perdure_waiting")
    assert things["invoice_blocked", "yes"] == 3
    assert things["in_grace", "no"] == 0
    assert len(things) == len(WaitingKind) - len(ELSEWHERE)
    assert values(page, "perdure_waiting_since_timestamp_seconds")["invoice_blocked",] == may(33).timestamp()
    amounts = values(page, "perdure_waiting_amount")
    assert (amounts["jpy", "invoice_blocked"], amounts["usd", "invoice_blocked"]) == (1440, 28.80)


async def test_a_figure_that_takes_long_is_given_up(db: Database, reader: Database) -> None:
    async with db.transaction() as connection:
        await connection.execute(text("LOCK TABLE pending_fact IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailableError, match=r"a figure took longer than 0\.2 s"):
            await read_figures(reader, timedelta(seconds=0.2))
