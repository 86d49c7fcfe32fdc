"""The audit finds reports that are missing, damaged, swapped, or differ from Postgres."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.postgres.audit import runs
from billing.audit.checks import Check
from billing.audit.kinds import Kind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from devstack.servers.emulator import EmulatorServer
from tests.e2e.audits import Audited, alter, audited, audited_system, bill
from tests.support.databases import FreshDatabase
from tests.support.rest import until_rested
from tests.support.system import System

pytestmark = pytest.mark.waits


@pytest.fixture
async def system(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with audited_system(temporal_client, fresh_database, stripe_emulator, tmp_path) as running:
        yield running


def _of_reports(found: Audited) -> dict[str | None, tuple[str, str | None]]:
    """Return kind and report of each finding, by invoice."""
    return {each.invoice_key: (each.kind, each.report_id) for check, each in found.findings if check is Check.REPORTS}


def _reissued(path: Path, invoice: InvoiceRecord) -> str:
    """Write another valid report of the same invoice, with a claim shorter by a minute, and return its id."""
    header, claim = (json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines())
    claim["instance_id"] = "somebody-else"
    text = "".join(json.dumps(each, sort_keys=True, separators=(",", ":")) + "\n" for each in (header, claim)).encode()
    digest = hashlib.sha256(text).hexdigest()
    name = f"reports/{invoice.billing_period}/{invoice.attribution_id}/{digest}.jsonl.gz"
    (path.parent / f"{digest}.jsonl.gz").write_bytes(gzip.compress(text))
    return name


async def _spoil(system: System, they: dict[str, InvoiceRecord], files: dict[str, Path]) -> str:
    """Damage each report or its rows as its name says. Returns the id of the reissued report."""
    files["gone"].unlink()
    files["cut"].write_bytes(files["cut"].read_bytes()[:-20])
    files["swapped"].write_bytes(files["sound"].read_bytes())
    other = _reissued(files["reissued"], they["reissued"])
    report = "UPDATE invoice SET report_id = :report WHERE attribution_id = :team"
    await alter(system, report, report=other, team="team:reissued")
    await alter(system, report, report=None, team="team:none")
    later = "UPDATE claim SET during = tstzrange(lower(during), upper(during) - interval '1 second') "
    await alter(system, later + "WHERE instance_id = 'claims-1'")
    await alter(
        system,
        "UPDATE invoice_line SET amount = amount + 1 WHERE invoice_id = :id",
        id=they["lines"].id,
    )
    await alter(system, "UPDATE claim_history SET line_no = 2")
    return other


async def test_reports_that_do_not_say_what_postgres_says(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_REPORTS_A_PAGE", 2)
    names = ("gone", "cut", "swapped", "reissued", "claims", "lines", "sound", "voided", "none")
    they = await bill(system, *names)
    await system.stripe.v1.invoices.void_invoice_async(they["voided"].stripe_invoice_id)
    await system.until_state(they["voided"].key, InvoiceState.VOIDED)
    await until_rested(system)
    clean = await audited(system)
    assert (clean.found, clean.figures(Check.REPORTS)) == (set(), {"reports": 9, "claims": 9})

    files = {name: tmp_path / "reports" / str(invoice.report_id) for name, invoice in they.items()}
    whole = {name: path.read_bytes() for name, path in files.items()}
    other = await _spoil(system, they, files)

    found = await audited(system)
    assert _of_reports(found) == {
        they["gone"].key: (Kind.REPORT_MISSING, they["gone"].report_id),
        they["cut"].key: (Kind.REPORT_DAMAGED, they["cut"].report_id),
        they["swapped"].key: (Kind.REPORT_DAMAGED, they["swapped"].report_id),
        they["reissued"].key: (Kind.REPORT_DIFFERS, other),
        they["claims"].key: (Kind.REPORT_DIFFERS, they["claims"].report_id),
        they["lines"].key: (Kind.REPORT_DIFFERS, they["lines"].report_id),
        they["voided"].key: (Kind.REPORT_DIFFERS, they["voided"].report_id),
        they["none"].key: (Kind.REPORT_MISSING, None),
    }
    of = {each.invoice_key: each.detail for _, each in found.findings if each.kind == Kind.REPORT_DIFFERS}
    assert "the report has somebody-else [2022-05-03T10:00:00" in of[they["reissued"].key]
    assert "Postgres has claims-1 [2022-05-03T10:00:00.000000Z, 2022-05-04T09:59:59" in of[they["claims"].key]

    for name in ("gone", "cut", "swapped"):
        files[name].write_bytes(whole[name])
    assert set(_of_reports(await audited(system))) == {
        they[name].key for name in ("reissued", "claims", "lines", "voided", "none")
    }
