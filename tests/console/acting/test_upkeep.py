"""Operators act on periods, schedules, warnings and the audit, and the pages show the state and the trail."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from storage.accounts import policies
from storage.decisions.trail import list_decisions
from storage.warnings.accepted import accepted_warnings
from temporal import schedules
from tests.console.acting.forms import Operator
from tests.console.serving import Browser
from tests.support.system import System
from tests.support.until import until

APRIL = "2022-04"


@pytest.fixture(scope="module")
async def scheduled(system: System) -> None:
    await schedules.set_schedule(system.client, "UTC", timedelta(hours=6))
    await schedules.set_audit_schedule(system.client)


async def last(system: System) -> tuple[str, str, str, str, str | None]:
    (newest,) = await list_decisions(system.db, limit=1)
    return (str(newest.kind), newest.subject, newest.decided_by, newest.reason, newest.address)


async def test_a_period_is_run_and_released_at_the_totals_that_were_seen(system: System, operator: Operator) -> None:
    await system.add_account("team:may", ("2022-04-01", None))
    await system.add_instance("i-may", "team:may", "2022-04-03", "2022-04-04")
    page, _ = await operator.open(f"/act/run?subject={APRIL}&account=team:may")
    assert f"Run {APRIL} for team:may" in page.text
    said = await operator.act(f"/act/run?subject={APRIL}&account=team:may")
    assert said.startswith(f"{APRIL} is run by jane.")
    await system.until_state(f"{APRIL}/team:may/period", InvoiceState.BILLED)
    assert await last(system) == ("run_period", f"{APRIL}/team:may", "jane", "", "127.0.0.1")
    assert "does not end until" in (await operator.browser.get("/act/run?subject=2999-01")).text

    await policies.hold_period(system.db, "2022-03", "too much", {"usd": 864})
    page, form = await operator.open("/act/approve-period?subject=2022-03")
    assert "8.64 USD" in page.text
    await policies.hold_period(system.db, "2022-03", "too much", {"usd": 900})
    seen, _ = await operator.send(form, reason="checked")
    assert (seen.status, "have changed" in seen.text) == (409, True)
    await policies.hold_period(system.db, "2022-03", None, {})


@pytest.mark.usefixtures("scheduled")
async def test_a_schedule_is_paused_resumed_and_run(system: System, operator: Operator, viewer: Browser) -> None:
    name = workflow_ids.AUDIT_SCHEDULE
    assert await operator.act(f"/act/pause?subject={name}", reason="maintenance") == f"{name} is paused by jane."
    shown = (await viewer.get("/schedules")).text
    assert "maintenance" in shown
    assert "paused" in shown
    assert await last(system) == ("pause", name, "jane", "maintenance", "127.0.0.1")
    assert await operator.act(f"/act/resume?subject={name}") == f"{name} is resumed by jane."
    assert not (await schedules.schedule_state(system.client, name)).paused
    said = await operator.act(f"/act/trigger?subject={name}")
    assert said.startswith(f"{name} is run by jane.")
    assert (await schedules.schedule_state(system.client, name)).recent_runs
    assert (await operator.browser.get("/act/pause?subject=nothing")).status == 409


async def test_what_temporal_refuses_stands_in_the_trail_all_the_same(system: System, operator: Operator) -> None:
    """It is recorded before it is asked for: nothing is carried out that the trail does not know."""
    _, form = await operator.open("/act/without-source?subject=2022-02&source=lake")
    seen, _ = await operator.send(form, reason="its owner is away")
    assert seen.status == 409, seen.text
    assert await last(system) == ("without_source", "2022-02", "jane", "lake: its owner is away", "127.0.0.1")


async def test_an_audit_is_run_and_shown(system: System, operator: Operator, viewer: Browser) -> None:
    await operator.act("/act/audit?subject=2022-04")
    handle = system.client.get_workflow_handle(workflow_ids.audit("2022-04"))

    async def ended() -> bool:
        return (await handle.describe()).close_time is not None

    await until(ended)
    shown = (await viewer.get("/audit")).text
    assert "never-twice" in shown
    assert "2022-04" in shown
    assert (await viewer.get("/audit?run=nothing")).status == 404


async def test_a_warning_is_accepted_and_withdrawn(system: System, operator: Operator) -> None:
    path = "-warning?subject=i-7&kind=runs_long"
    await operator.act(f"/act/accept{path}", reason="a database")
    assert [each.subject for each in await accepted_warnings(system.db)] == ["i-7"]
    assert await last(system) == ("accept_warning", "runs_long i-7", "jane", "a database", "127.0.0.1")
    assert "reported again" in await operator.act(f"/act/withdraw{path}")
    seen, _ = await operator.send((await operator.open(f"/act/withdraw{path}"))[1])
    assert (seen.status, "nothing to withdraw" in seen.text) == (409, True)


async def test_the_trail_is_filtered_paged_and_downloaded(system: System, operator: Operator, viewer: Browser) -> None:
    await operator.act("/act/accept-warning?subject=i-8&kind=runs_long", reason='=cmd("x")')
    found = (await viewer.get("/decisions?decision=accept_warning&by=jane")).text
    assert "runs_long i-8" in found
    assert "console" in found
    assert "127.0.0.1" in found
    answer = await viewer.get("/decisions.csv?subject=runs_long+i-8")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["by"], row["decision"], row["from"]) == ("jane", "accept_warning", "console")
    assert not row["reason"].startswith("=")
    assert "No decision fits" in (await viewer.get("/decisions?by=nobody")).text
    assert (await viewer.get("/decisions?decision=nothing")).status == 400
    assert (await viewer.get("/decisions?before=x")).status == 400


async def test_the_webhook_and_the_sources_are_shown_empty(viewer: Browser) -> None:
    assert "never read" in (await viewer.get("/webhook")).text or "Last catch-up" in (await viewer.get("/webhook")).text
    assert "There are no sources" in (await viewer.get("/sources")).text
    assert (await viewer.get("/sources/nothing")).status == 404


async def test_acting_is_refused_to_who_may_not(operator: Operator, viewer: Browser, system: System) -> None:
    """A viewer, nobody, a form of another session, another site: nothing is done, and nothing is in the trail."""
    _, form = await operator.open("/act/accept-warning?subject=i-9&kind=runs_long")
    fields = {**form.fields, "reason": "let me"}
    own = {**fields, "form_token": (await viewer.get("/")).form_token}
    assert (await viewer.get("/act/accept-warning?subject=i-9&kind=runs_long")).status == 403
    assert (await viewer.post(form.action, own)).status == 403
    assert (await viewer.post(form.action, fields)).status == 403
    browser = operator.browser
    assert (await browser.post(form.action, {**fields, "form_token": ""})).status == 403
    assert (await browser.post(form.action, own)).status == 403
    assert (await browser.post(form.action, fields, Origin="https://evil.example")).status == 403
    for site in ("cross-site", "same-site", "none", ""):
        assert (await browser.post(form.action, fields, **{"Sec-Fetch-Site": site})).status == 403
    assert (await browser.get("/act/nothing")).status == 404
    _, other = await operator.open("/act/withdraw-warning?subject=i-9&kind=runs_long")
    for given in ("x", "", str(uuid4()), other.fields["request"], form.fields["request"].upper()):
        assert (await browser.post(form.action, {**fields, "request": given})).status == 400
    assert await list_decisions(system.db, subject="runs_long i-9", limit=9) == []
    assert (await browser.post(form.action, fields)).status == 303
