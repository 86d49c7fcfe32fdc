"""`perdure period status`, and the reports of imports about usage that was billed before."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from billing.accounts.windows import WindowKind
from billing.report.canonical import format_instant
from starter.console.pages.periods.excluded import ExcludedReason
from storage.claims.claims import claim_page
from storage.periods.periods import ExcludedUsage, read_summary, write_summary
from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.sheets.reading import opened, total
from tests.storage.usage import HOUR_US, add_account, add_instances, card, instance, may, put_window, scope

RATES = """\
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "1" }
price_per_credit = { usd = "0.01" }
"""


@pytest.fixture
def perdure(perdure: Perdure, database_url: str) -> Perdure:
    perdure.settings["DATABASE_URL"] = database_url
    Path(perdure.cwd / "rates.toml").write_text(RATES)
    return perdure


async def _excluded(perdure: Perdure) -> str:
    return (await perdure("period", "excluded", "2022-05")).out


async def test_usage_on_trial_is_listed_wherever_a_person_would_ask(perdure: Perdure, db: Database) -> None:
    await add_account(db, "team:a", (may(-29), may(-28)))
    await put_window(db, "team:a", "sub_1", may(1), None, (may(1), may(15), WindowKind.TRIAL))
    await add_instances(db, instance("i-1", may(5), may(6)), instance("i-2", may(20), may(21)))
    line = "excluded, trial: 1 instance, 24.00 h, worth 14.40 USD"
    dry = await perdure("period", "run", "2022-05", "--dry-run")
    assert f"{line} (`perdure period excluded 2022-05` lists them)" in " ".join(dry.out.split())
    other = await perdure("period", "run", "2022-05", "--dry-run", "--account", "team:b")
    assert "excluded" not in other.out
    assert line in (await perdure("period", "status", "2022-05")).out
    assert re.search(
        r"^i-1 +24\.00 h +14\.40 USD +the account was on trial +team:a  ", await _excluded(perdure), re.MULTILINE
    )
    document = (await perdure("period", "status", "2022-05", "--json")).document
    assert [(each["instance_id"], each["reason"]) for each in document["excluded"]] == [("i-1", "trial")]
    explained = " ".join((await perdure("explain", "i-1")).out.split())
    assert "Usage on trial is not charged. It was subscription sub_1, from 2022-05-01" in explained
    perdure.settings["TRIAL_USAGE"] = "charge"
    assert "excluded, trial" not in (await perdure("period", "status", "2022-05")).out


async def test_what_many_short_instances_would_cost_is_rounded_once(perdure: Perdure, db: Database) -> None:
    """Each of them costs 0.4 cents: nothing alone, 4.00 USD together."""
    await add_account(db, "team:a", (may(20), None))
    short = [instance(f"i-{n}", may(2), may(2) + timedelta(seconds=24)) for n in range(1000)]
    await add_instances(db, *short)
    assert "uncovered: 1,000 instances, 6.67 h, worth 4.00 USD" in (await perdure("period", "status", "2022-05")).out
    listed = (await perdure("period", "excluded", "2022-05", "--json")).document
    assert {each["worth"] for each in listed} == {0}
    exact = sum(Decimal(each["credits"]) * Decimal(each["price_per_credit"]) for each in listed)
    made = await perdure("export", "2022-05", "--to", "may.xlsx")
    assert made.status == 0
    sheet = opened((perdure.cwd / "may.xlsx").read_bytes())["Excluded"]
    assert total(sheet, "Worth at today's rates") == exact == 4
    console = ExcludedReason("uncovered", "")
    for each in listed:
        credits, price = Decimal(each["credits"]), Decimal(each["price_per_credit"])
        console.add(ExcludedUsage(each["instance_id"], "team:a", "uncovered", 24_000_000, credits, "usd", price))
    assert console.worth == {"usd": 400}


async def test_usage_that_a_corrected_window_leaves_outside_is_misbilled(perdure: Perdure, db: Database) -> None:
    await add_account(db, "team:a", (may(2), None))
    await add_account(db, "team:b", (may(2), None))
    await add_instances(
        db,
        instance("i", may(2), may(4)),
        instance("j", may(2), may(4), attribution_id="team:b"),
    )
    await claim_page(db, scope(), card())
    assert (await perdure("period", "status", "2022-05", "--json")).document["misbilled"] == []
    file = "attribution_id,currency,started,ended\nteam:a,usd,2022-05-02T00:00:00Z,2022-05-03T00:00:00Z\n"
    beyond = {
        "instance_id": "i",
        "invoice_key": "2022-05/team:a/period",
        "duration_us": 24 * HOUR_US,
        "reason": "outside_windows",
    }
    imported = await perdure("accounts", "import", "-", "--json", stdin=file.encode())
    assert imported.document == {"stored": 1, "repeated": 0, "refused": [], "misbilled": [beyond], "warnings": []}
    again = await perdure("accounts", "import", "-", stdin=file.encode())
    assert (again.status, again.out) == (0, "1 stored, 0 refused.\n")
    line = "misbilled: 24.00 h of 1 instance (i), outside windows (`perdure invoices correct`: 2022-05/team:a/period)"
    assert again.err.startswith(f"perdure: {line}, as now imported")

    await put_window(db, "team:b", "sub_b", may(2), may(3.5))
    status = await perdure("period", "status", "2022-05", "--json")
    other = {**beyond, "instance_id": "j", "invoice_key": "2022-05/team:b/period", "duration_us": 12 * HOUR_US}
    named = [{"attribution_id": f"team:{each}", "account_name": None} for each in "ab"]
    assert status.document["misbilled"] == [beyond | named[0], other | named[1]]
    human = await perdure("period", "status", "2022-05")
    assert "(claimed: reserved for an invoice)" in human.out
    assert (
        "misbilled: 36.00 h of 2 instances (i, j), outside windows (`perdure invoices correct`: 2022-05/team:a/period, "
        "2022-05/team:b/period)" in " ".join(human.out.split())
    )


async def test_instances_that_ran_shorter_are_named_in_the_status_too(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(4)))
    await claim_page(db, scope(), card())
    file = json.dumps(
        {
            "id": "i",
            "attribution_id": "team:a",
            "workspace_id": "ws-i",
            "project_id": "p",
            "workspace_class": "default",
            "creation_time": "2022-05-02T00:00:00Z",
            "started_time": "2022-05-02T00:00:00Z",
            "stopping_time": "2022-05-03T00:00:00Z",
        }
    )
    (perdure.cwd / "usage.jsonl").write_text(file)
    (listed,) = (await perdure("instances", "import", "usage.jsonl", "--json")).document["misbilled"]
    (row,) = (await perdure("period", "status", "2022-05", "--json")).document["misbilled"]
    assert (row["instance_id"], row["reason"], row["duration_us"]) == ("i", "outside_runtime", 24 * HOUR_US)
    assert listed == {name: row[name] for name in listed}


async def test_the_status_says_when_the_period_was_last_settled(perdure: Perdure, db: Database) -> None:
    assert (await perdure("period", "status", "2022-05", "--json")).document["settled_at"] is None
    assert "settled" not in (await perdure("period", "status", "2022-05")).out
    await write_summary(db, "2022-05", {})
    summary = await read_summary(db, "2022-05")
    assert summary is not None
    settled_at = format_instant(summary.settled_at)
    assert (await perdure("period", "status", "2022-05", "--json")).document["settled_at"] == settled_at
    human = " ".join((await perdure("period", "status", "2022-05")).out.split())
    assert f"The whole period was last settled at {settled_at}." in human
    assert (await perdure("period", "status", "2022-06", "--json")).document["settled_at"] is None
