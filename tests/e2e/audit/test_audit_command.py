"""`perdure audit` in a separate process, against the whole product."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from billing.attribution import malformed_attribution_id
from billing.audit.checks import Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from devstack.servers.emulator import EmulatorServer
from starter.words.remedies import REMEDIES
from storage.audit.runs import add_findings, record_check
from tests.cli.conftest import Perdure
from tests.e2e.audits import audited_system, bill, start_audit
from tests.support.databases import FreshDatabase
from tests.support.months import MAY
from tests.support.rest import unheard
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits


@pytest.fixture
async def system(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with audited_system(temporal_client, fresh_database, stripe_emulator, tmp_path, settle=0) as running:
        yield running


@pytest.fixture
def perdure(system: System, tmp_path: Path) -> Perdure:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return Perdure(
        folder,
        {
            "DATABASE_URL": system.settings.need("database_url"),
            "TEMPORAL_ADDRESS": system.client.service_client.config.target_host,
            "TEMPORAL_NAMESPACE": system.client.namespace,
        },
    )


async def test_it_says_what_differs_and_what_to_do(system: System, perdure: Perdure) -> None:
    they = await bill(system, "once")
    await _all_agrees(perdure)

    await unheard(system)
    stripe_id = they["once"].stripe_invoice_id
    await system.stripe.v1.invoices.void_invoice_async(stripe_id)
    document = (await perdure("audit", "--period", MAY, "--json")).document_of_failure
    assert document["clean"] is False
    assert (document["period"], document["attribution_id"]) == (MAY, None)
    assert {each["check"]: each["discrepancies"] for each in document["checks"] if each["discrepancies"]} == {
        "stripe-says-the-same": 1
    }
    [finding] = document["findings"]
    assert finding == {
        "check": "stripe-says-the-same",
        "kind": "status_differs",
        "detail": "void in Stripe, billed in Postgres",
        "attribution_id": "team:once",
        "instance_id": None,
        "invoice_key": they["once"].key,
        "stripe_id": stripe_id,
        "report_id": they["once"].report_id,
        "account_name": None,
        "what_to_do": REMEDIES[Kind.STATUS_DIFFERS].replace("invoice/KEY", f"invoice/{they['once'].key}"),
    }

    await _add_more_than_a_screen_holds(system, document["audit_id"])
    again, all_of_them = await asyncio.gather(
        perdure("audit", "--last", "--period", MAY), perdure("audit", "--last", "--period", MAY, "--json")
    )
    assert (again.status, again.out.splitlines()[-1]) == (3, "151 discrepancies.")
    assert f"status_differs (stripe-says-the-same): account team:once, invoice {they['once'].key}" in again.out
    assert f"What to do: {finding['what_to_do']}" in again.out
    assert f"51 more: `perdure audit --last --period {MAY} --json` lists all of them." in again.out
    assert len(all_of_them.document_of_failure["findings"]) == 151


async def _all_agrees(perdure: Perdure) -> None:
    clean, none = await asyncio.gather(perdure("audit"), perdure("audit", "--last", "--period", MAY))
    assert (clean.status, clean.out.splitlines()[-1]) == (0, "Everything agrees."), clean
    assert [line.split()[0] for line in clean.out.splitlines() if line.strip()[:1].islower()] == [*map(str, Check)]
    assert clean.err.startswith("audit/all in the Temporal UI\n")
    assert "billed 24.00 h" in clean.out
    assert "invoices 1, 8.64 USD" in clean.out
    assert none.error == "no audit of this scope has run yet: leave out --last to run one"


async def test_a_warning_is_no_discrepancy(system: System, perdure: Perdure) -> None:
    start, stop = "2022-05-03T09:00:00Z", "2022-05-03T10:00:00Z"
    columns = "id,attribution_id,workspace_id,creation_time,started_time,stopping_time"
    rows = "".join(f"{each},team:copied,ws-1,{start},{start},{stop}\n" for each in ("i-1", "run-8841"))
    assert (await perdure("instances", "import", "-", stdin=f"{columns}\n{rows}".encode())).status == 0
    await bill(system, "copied")
    human = await perdure("audit")
    assert (human.status, human.out.splitlines()[-1]) == (0, "Everything agrees, with 1 warning."), human.out
    assert "ws-1: i-1 and run-8841 run at once" in human.out
    document, strict, may = await asyncio.gather(
        perdure("audit", "--last", "--json"), perdure("audit", "--last", "--strict"), perdure("audit", "--period", MAY)
    )
    assert document.document["clean"] is True
    assert [(each["kind"], each["subject"]) for each in document.document["warnings"]] == [("overlapping", "ws-1")]
    assert (strict.status, strict.out.splitlines()[-1]) == (3, "Everything agrees, with 1 warning.")
    assert (may.status, may.out.splitlines()[-1]) == (0, "Everything agrees, with 1 warning.")
    accepted = await perdure("warnings", "accept", "overlapping", "ws-1", "--reason", "a pair")
    assert accepted.status == 0
    silent = await perdure("audit", "--last", "--strict")
    assert (silent.status, silent.out.splitlines()[-1]) == (0, "Everything agrees.")


async def _add_more_than_a_screen_holds(system: System, audit_id: str) -> None:
    async with system.db.transaction() as connection:
        many = [Finding(Kind.STATUS_DIFFERS, f"number {number}", invoice_key="x") for number in range(150)]
        await add_findings(connection, audit_id, Check.NEVER_TWICE, many)
        await record_check(connection, audit_id, Check.NEVER_TWICE, {})


async def test_a_second_caller_joins(system: System, perdure: Perdure, tmp_path: Path) -> None:
    await bill(system, "joined")
    reports = (tmp_path / "reports").rename(tmp_path / "away")
    running = await start_audit(system)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter.cli.main", "audit", "--json"),
        cwd=perdure.cwd,
        env={**os.environ, **perdure.settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert b"audit/all" in await asyncio.wait_for(process.stderr.readline(), GIVE_UP_SECONDS)
        assert b"Checking" in await asyncio.wait_for(process.stderr.readline(), GIVE_UP_SECONDS)
        reports.rename(tmp_path / "reports")
        out, _ = await asyncio.wait_for(process.communicate(), GIVE_UP_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert json.loads(out)["audit_id"] == running.first_execution_run_id
    assert process.returncode == 0


async def test_wrong_input_has_a_status_of_its_own(perdure: Perdure) -> None:
    wrong = (("--period", "2022-13"), ("--account", "a/b"), ("--stuck-after", "soon"), ("--nothing",))
    *refused, unreachable, without = await asyncio.gather(
        *(perdure("audit", *arguments) for arguments in wrong),
        perdure("audit", TEMPORAL_ADDRESS="127.0.0.1:1"),
        perdure("audit", DATABASE_URL=""),
    )
    assert [(each.status, each.out) for each in refused] == [(2, "")] * 4
    assert [each.err.splitlines()[0] for each in refused[:3]] == [
        "perdure: '2022-13' is not a billing period: there is no month 13; write YYYY-MM",
        f"perdure: --account: {malformed_attribution_id('a/b')}",
        "perdure: --stuck-after 'soon' is not a length of time: write 90m, 12h or 7d",
    ]
    assert unreachable.error.startswith("Temporal at 127.0.0.1:1: ")
    assert without.error.startswith("DATABASE_URL is not set")
