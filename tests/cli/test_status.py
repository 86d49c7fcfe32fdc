"""`perdure status`: what waits and how things are, with PostgreSQL or Temporal away, and on one screen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from billing.audit.checks import AuditScope, Check
from settings import Settings
from starter.cli.status.overview import Overview
from starter.cli.status.running import RunningState, of_steps
from starter.cli.status.screen import screen
from starter.cli.status.stored import Scope, stored_state
from starter.cli.steps.words import grouped
from storage.arrivals.tokens import TokenScope, add_token, make_secret, revoke_token
from storage.audit.runs import begin_audit, finish_audit, record_check
from storage.postgres.database import Database
from storage.postgres.roles import READER
from storage.waiting.kinds import RESOLUTIONS, WaitingKind
from storage.waiting.waiting import WaitingThing, WaitingTotal
from temporal import schedules
from temporal.pending import PendingStep, StepState
from tests.cli.conftest import UNREACHABLE_DATABASE, Perdure
from tests.storage.usage import add_account, add_instances, execute, instance, may
from tests.support.namespaces import new_namespace
from tests.support.roles import as_role
from tests.support.system import System

ROOT = Path(__file__).parents[2]
NOW = datetime(2022, 6, 3, tzinfo=UTC)
KEY = "2022-05/team:a/period"


@pytest.fixture
async def perdure(perdure: Perdure, database_url: str, temporal_client: Client) -> Perdure:
    perdure.settings |= {
        "DATABASE_URL": database_url,
        "TEMPORAL_ADDRESS": temporal_client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": (await new_namespace(temporal_client)).namespace,
    }
    return perdure


def kinds(document: dict[str, Any]) -> list[str]:
    """Return the kinds of what waits, oldest first."""
    return [each["kind"] for each in document["waiting"]]


async def test_nothing_waits(perdure: Perdure, system: System) -> None:
    result = await perdure("status")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[1] == "Nothing waits."
    assert "✓ worker billing   1 worker polling" in result.out
    assert "! schedules        none yet (`perdure schedule set`)" in result.out
    document = (await perdure("status", "--json")).document
    assert (document["waiting"], document["totals"], document["away"]) == ([], [], {})
    polling = {each["queue"]: each["polling"] for each in document["queues"]}
    assert (polling["billing"], polling["stripe"]) == (1, 1)


async def test_what_waits_is_linked_where_addresses_are_known(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await execute(db, "INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'two at once', now())")
    assert "http" not in (await perdure("status")).out
    addresses = {"CONSOLE_URL": "https://billing.example.com", "TEMPORAL_UI_URL": "https://temporal.example.com"}
    perdure.settings |= {**addresses, "STRIPE_MODE": "test", "STRIPE_API_BASE": ""}
    namespace = perdure.settings["TEMPORAL_NAMESPACE"]
    [subscription, *_] = (await perdure("status", "--json")).document_of_failure["waiting"]
    assert subscription["links"] == {
        "console": "https://billing.example.com/accounts/team:a",
        "stripe": "https://dashboard.stripe.com/test/subscriptions/sub_1",
    }
    shown = (await perdure("status")).out
    assert f"Temporal UI: https://temporal.example.com/namespaces/{namespace}/workflows\n" in shown
    assert "Console: https://billing.example.com/waiting\n" in shown
    assert f"Stripe: {subscription['links']['stripe']}\n" in shown


async def test_what_waits_ends_with_3_and_says_what_to_do(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await execute(
        db, "INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'two at once', now() - interval '1 h')"
    )
    await execute(
        db,
        "INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, updated_at)"
        " VALUES ('2022-05', 'team:a', 'blocked', 'no price in chf', 0, 'usd', now() - interval '2 days')",
    )
    await add_instances(db, instance("i-1", may(2), may(3), attribution_id="team:nobody"))
    result = await perdure("status")
    document = (await perdure("status", "--json")).document_of_failure
    assert result.status == 3
    assert kinds(document)[:3] == ["usage_unbillable", "account_blocked", "subscription_blocked"]
    assert document["waiting"][0]["duration_us"] == 24 * 3_600_000_000
    assert "    2 d  account team:a\n" in result.out
    assert "         no price in chf\n" in result.out
    assert "         perdure period run 2022-05 --account team:a  # docs/on-call/account-not-priced.md\n" in result.out
    assert "         docs/on-call/subscription-blocked.md\n" in result.out
    assert "usage: no_such_account  24.00 h\n" in result.out
    of_june = (await perdure("status", "--period", "2022-06", "--json")).document
    assert kinds(of_june) == []
    of_a = (await perdure("status", "--account", "team:a", "--json")).document_of_failure
    assert kinds(of_a) == ["account_blocked", "subscription_blocked"]


async def test_queues_without_a_worker_and_schedules_that_do_not_run(perdure: Perdure, temporal_client: Client) -> None:
    document = (await perdure("status", "--json")).document_of_failure
    missing = [each for each in document["waiting"] if each["kind"] == "no_worker"]
    assert [(each["subject"], each["command"]) for each in missing] == [
        ("billing", "perdure worker --queue billing"),
        ("stripe", "perdure worker --queue stripe"),
    ]
    await perdure("schedule", "set")
    await perdure("schedule", "pause", "--note", "month close")
    client = await Client.connect(
        perdure.settings["TEMPORAL_ADDRESS"], namespace=perdure.settings["TEMPORAL_NAMESPACE"]
    )
    await client.get_schedule_handle("audit-daily").delete()
    document = (await perdure("status", "--json")).document_of_failure
    waiting = {each["subject"]: each for each in document["waiting"] if each["kind"].startswith("schedule_")}
    assert waiting["billing-monthly"]["reason"] == "it is paused: month close"
    assert waiting["billing-monthly"]["command"] == "perdure schedule resume billing-monthly"
    assert waiting["audit-daily"]["command"] == "perdure schedule set"
    out = (await perdure("status")).out
    assert "✗ worker stripe    no worker polls it" in out
    assert "- worker sources   no worker polls it, and none is needed: no sources, no API tokens" in out
    assert "✗ schedules        monthly run paused, catch-up in " in out


async def test_usage_by_the_api_needs_the_sources_worker(perdure: Perdure, db: Database) -> None:
    def unserved(ran: Any) -> list[str]:
        waiting = ran.document_of_failure["waiting"]
        return sorted(each["subject"] for each in waiting if each["kind"] == "no_worker")

    await add_token(db, "crm", make_secret(), TokenScope.ACCOUNTS, by="x", expires_at=None)
    assert unserved(await perdure("status", "--json")) == ["billing", "stripe"]
    await add_token(db, "shop", make_secret(), TokenScope.INGEST, by="x", expires_at=None)
    assert unserved(await perdure("status", "--json")) == ["billing", "sources", "stripe"]
    assert "✗ worker sources   no worker polls it\n" in (await perdure("status")).out
    found = json.loads((await perdure("doctor", "--json", stdin=b"")).out)
    assert [each["mark"] for each in found if each["check"] == "workers.sources"] == ["fault"]
    await revoke_token(db, "shop")
    assert unserved(await perdure("status", "--json")) == ["billing", "stripe"]


async def test_a_service_that_is_away_ends_with_69_and_the_other_is_shown(perdure: Perdure, db: Database) -> None:
    await execute(db, "INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'two at once', now())")
    without_temporal = await perdure("status", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert without_temporal.status == 69
    assert "subscription sub_1" in without_temporal.out
    assert "✗ Temporal         Temporal at 127.0.0.1:1: " in without_temporal.out
    without_postgres = await perdure("status", "--json", DATABASE_URL=UNREACHABLE_DATABASE)
    assert without_postgres.status == 69
    document = without_postgres.document_of_failure
    assert set(document["away"]) == {"postgresql"}
    assert "secret" not in without_postgres.out
    assert [each["queue"] for each in document["queues"]] == ["billing", "stripe", "sources"]
    neither = await perdure("status", DATABASE_URL=UNREACHABLE_DATABASE, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert neither.status == 69
    assert neither.out.splitlines()[1] == "Not everything could be asked."


async def test_watch_needs_a_terminal(perdure: Perdure) -> None:
    result = await perdure("status", "--watch")
    assert result.status == 2
    assert "--watch draws on a terminal" in result.err


async def test_a_role_that_only_reads_is_enough(database_url: str, db: Database) -> None:
    await execute(db, "INSERT INTO subscription_fault VALUES ('sub_1', 'team:a', 'two at once', now())")
    found = await stored_state(Settings(database_url=as_role(database_url, READER)), Scope(), 10)
    assert [each.subject for each in found.waiting] == ["sub_1"]


async def test_beyond_what_can_be_read_in_time_the_last_audit_counts(
    database_url: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.cli.status.stored.USAGE_SECONDS", 0.001)
    await begin_audit(db, "all-1", AuditScope(), timedelta(days=3))
    async with db.transaction() as connection:
        await record_check(
            connection, "all-1", Check.CONSERVATION, {"no_such_account_us": 7_200_000_000, "trial_us": 1}
        )
    await finish_audit(db, "all-1")
    found = await stored_state(Settings(database_url=database_url), Scope(), 10)
    [thing] = [each for each in found.waiting if each.kind is WaitingKind.USAGE_UNBILLABLE]
    assert (thing.subject, thing.duration_us) == ("no_such_account", 7_200_000_000)
    assert (found.usage_checked, found.warnings_checked) == (False, False)


def _step(workflow_id: str, since: int, **values: Any) -> PendingStep:
    given = {"state": StepState.FAILS, "attempt": 2, "failure": "the API key is refused", **values}
    return PendingStep(workflow_id, "InvoiceWorkflow", "create", "stripe", since=NOW + timedelta(hours=since), **given)


def test_steps_that_fail_for_one_reason_are_one_thing() -> None:
    later = NOW + timedelta(seconds=43)
    steps = [
        _step("invoice/b", 2, failure_kind="StripeCredentials"),
        _step("invoice/a", 1, failure_kind="StripeCredentials", next_attempt_at=later),
        _step("invoice/c", 1, failure_kind="StripeUnavailable", failure="Stripe answers 503"),
        _step("invoice/d", 1, state=StepState.LOST),
        _step("invoice/e", 3, failure_kind="OSError", failure="no space left"),
        _step("invoice/f", 1, state=StepState.NOT_TAKEN, polled=True),
        _step("invoice/g", 1, state=StepState.NOT_TAKEN, polled=False),
    ]
    found = {each.kind: each for each in of_steps(grouped(steps), NOW)}
    assert {kind: (each.subject, each.things, each.person) for kind, each in found.items()} == {
        WaitingKind.STRIPE_KEY_REFUSED: ("invoice/a", 2, True),
        WaitingKind.STRIPE_UNAVAILABLE: ("invoice/c", 1, False),
        WaitingKind.STEPS_FAILING: ("invoice/e", 1, True),
    }
    refused = found[WaitingKind.STRIPE_KEY_REFUSED]
    assert refused.reason == "2 invoices wait for Stripe: the API key is refused (attempt 2 in 43 s)"
    assert refused.page == "stripe-key-refused"


def _blocked(number: int, **values: Any) -> WaitingThing:
    key = values.pop("subject", f"2022-05/team:{number:04d}/period")
    given = {"reason": "refused by Stripe: " + "because it is so " * 9, "amounts": {"usd": 100}, **values}
    since = NOW - timedelta(hours=number)
    return WaitingThing(WaitingKind.INVOICE_BLOCKED, key, "team:a", "2022-05", key, None, since, **given)


def _overview(things: list[WaitingThing], totals: list[WaitingTotal]) -> Overview:
    found = Overview(NOW, "test", Scope(), None, RunningState([], [], things, True), {})
    found.__dict__["totals"] = totals
    return found


def _lines(found: Overview, height: int | None = 24) -> list[str]:
    return [line.plain for line in screen(found, 80, height)]


def test_many_of_a_kind_are_one_line_on_one_screen() -> None:
    total = WaitingTotal(WaitingKind.INVOICE_BLOCKED, 412, NOW - timedelta(hours=9), {"usd": 41_200, "eur": 5})
    lines = _lines(_overview([_blocked(number) for number in range(1, 10)], [total]))
    assert "    9 h  412 blocked invoices  0.05 EUR, 412.00 USD" in lines
    assert "         perdure invoices list --state blocked  # docs/on-call/blocked-by-an-error.md" not in lines
    assert "         perdure invoices list --state blocked" in lines
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 24


def test_no_line_is_wider_than_the_screen_and_no_command_is_cut() -> None:
    thing = _blocked(1, subject="2022-05/team:a-customer/subscription/sub_1234567890abcdefghij")
    lines = _lines(_overview([thing], []))
    assert max(map(len, lines)) <= 80
    command = " ".join(
        line.strip().removesuffix(" \\") for line in lines if "perdure invoices" in line or "/sub" in line
    )
    assert thing.command in command


def test_a_reason_is_whole_and_broken_between_words() -> None:
    thing = _blocked(
        1, reason="refused by Stripe: the customer of team:a-customer has no address: give it one in Stripe"
    )
    found = replace(_overview([thing], []), away={"temporal": "Temporal " + "does not answer " * 6 + "at its address"})
    lines = [line.strip() for line in _lines(found)]
    start = lines.index("refused by Stripe: the customer of team:a-customer has no address: give")
    assert lines[start + 1] == "it one in Stripe"
    assert "…" not in "".join(lines)
    assert any(line.endswith("at its address") for line in lines)
    assert max(map(len, _lines(found))) <= 80


def test_what_does_not_fit_is_counted() -> None:
    of_all_kinds = [
        WaitingThing(kind, "x", "x", "2022-05", "x", "x", NOW, "why", {})
        for kind in WaitingKind
        if RESOLUTIONS[kind].person
    ]
    lines = _lines(_overview(of_all_kinds, []))
    assert len(lines) <= 24
    assert any(f"and {len(of_all_kinds) - 5} more: perdure status --all" in line for line in lines)
    assert len(_lines(_overview(of_all_kinds, []), height=None)) > len(of_all_kinds)


def test_every_page_is_in_the_table_of_states() -> None:
    table = (ROOT / "docs/on-call/README.md").read_text()
    for kind, resolution in RESOLUTIONS.items():
        assert (ROOT / f"docs/on-call/{resolution.page}.md").exists(), kind
        assert resolution.page == "README" or f"({resolution.page}.md" in table, kind


def test_the_instant_of_a_pause_is_not_part_of_its_remark() -> None:
    note = "paused by perdure at 2022-06-01T00:00:00+00:00: month close: wait"
    state = schedules.ScheduleState("billing-monthly", True, note, [], [], [])
    assert (state.paused_at, state.remark) == (datetime(2022, 6, 1, tzinfo=UTC), "month close: wait")
    elsewhere = schedules.ScheduleState("billing-monthly", True, "by hand", [], [], [])
    assert (elsewhere.paused_at, elsewhere.remark) == (None, "by hand")
