"""The usage report of a corrected invoice, on the whole product: the audit compares it, and it can be made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.audit.kinds import Kind
from tests.cli.conftest import Perdure
from tests.storage.corrections.correcting import replace_facts
from tests.storage.usage import instance, may
from tests.support.rest import until_rested
from tests.support.system import RATES, System

TEAM, KEY = "team:kept", "2022-05/team:kept/period"


@pytest.mark.waits
async def test_a_lost_report_of_a_corrected_invoice_is_made_again(
    system: System, perdure: Perdure, tmp_path: Path
) -> None:
    (perdure.cwd / "rates.toml").write_text(RATES)
    perdure.settings |= {"REPORT_STORE_URL": (tmp_path / "reports").as_uri()}
    await system.add_account(TEAM, ("2022-05-01", None))
    for name in ("cut", "classed"):
        await system.add_instance(name, TEAM, "2022-05-03", "2022-05-06")
    await system.run_period()
    known = {"attribution_id": TEAM, "project_id": "prj"}
    await replace_facts(
        system.db,
        instance("cut", may(4), may(5), **known),
        instance("classed", may(3), may(6), workspace_class="xl", **known),
    )
    assert (await perdure("invoices", "correct", KEY)).status == 0
    await until_rested(system)
    assert await found(perdure) == []

    report_id = (await system.invoice(KEY)).report_id
    assert report_id is not None
    path = tmp_path / "reports" / report_id
    whole = path.read_bytes()
    path.unlink()
    assert await found(perdure) == [Kind.REPORT_MISSING]
    rebuilt = await perdure("report", "rebuild", "--all-missing")
    assert f"{KEY}: {report_id} was missing and is rebuilt, byte for byte" in rebuilt.out
    assert path.read_bytes() == whole
    assert await found(perdure) == []


async def found(perdure: Perdure) -> list[str]:
    """Return the kinds of what an audit finds."""
    audit = await perdure("audit", "--json")
    return [each["kind"] for each in audit.document_of_failure["findings"]] if audit.status else []
