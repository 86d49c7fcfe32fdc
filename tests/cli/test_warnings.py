"""Warnings of usage that is probably wrong: in imports, dry runs and the status of a period, and how to accept them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from starter.cli.warnings.words import WHAT_TO_DO
from storage.claims.claims import claim_page
from storage.periods.periods import write_summary
from storage.postgres.database import Database
from tests.cli.conftest import CommandResult, Perdure
from tests.storage.usage import add_account, add_instances, card, execute, fetch, instance, june, may, scope

RATES = """\
[[version]]
effective_from = 2022-01-01T00:00:00Z
credits_per_minute = { default = "1" }
price_per_credit = { usd = "0.01" }
"""
COLUMNS = "id,attribution_id,workspace_id,workspace_class,creation_time,started_time,stopping_time"
START, STOP = "2022-05-03T09:00:00Z", "2022-05-03T10:00:00Z"
SUSPICIOUS = f"""\
{COLUMNS}
i-1,team:a,ws-1,default,{START},{START},{STOP}
i-2,team:a,ws-2,default,{START},{START},
i-3,team:a,ws-3,gpu-a100,{START},{START},{STOP}
i-4,team:b,ws-4,gpu-a100,{START},{START},{STOP}
i-5,,ws-5,,{START},{START},{STOP}
i-6,team:a,ws-6,,2022-05-05T00:00:00Z,{START},{STOP}
i-7,no id,ws-7,,{START},{START},{STOP}
"""
BLOCK = """\
7 inserted, 0 updated, 0 unchanged, 0 refused.
Worth a look: 6 warnings.
  runs_long, 1: if it has stopped, import its stop.
    i-2 (line 3): runs since 2022-05-03T09:00:00Z without a stop
  unknown_class, 1: add it to the rate card, or correct the class.
    gpu-a100 (line 4): 2 instances, such as i-3
  unknown_account, 1: import the account, or correct the id.
    team:b (line 5): 1 instance, i-4
  malformed_id, 2: correct the id: no account can have it.
    empty (line 6): 1 instance, i-5
    'no id' (line 8): 1 instance, i-7
  starts_before_creation, 1: correct the times: it is not billed.
    i-6 (line 7): starts at 2022-05-03T09:00:00Z, more than a day before its creation
  Is one as it should be? `perdure warnings accept KIND SUBJECT --reason TEXT`
"""


@pytest.fixture
def perdure(perdure: Perdure, database_url: str) -> Perdure:
    perdure.settings["DATABASE_URL"] = database_url
    Path(perdure.cwd / "rates.toml").write_text(RATES)
    return perdure


async def load(perdure: Perdure, content: str, *options: str) -> CommandResult:
    (perdure.cwd / "usage.csv").write_text(content)
    return await perdure("instances", "import", "usage.csv", *options)


def kinds(warnings: list[dict[str, object]]) -> list[object]:
    return [warning["kind"] for warning in warnings]


async def test_an_import_says_what_is_worth_a_look(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    ran = await load(perdure, SUSPICIOUS)
    assert (ran.status, ran.out, ran.err) == (0, BLOCK, "")
    again = await load(perdure, SUSPICIOUS, "--json", "--strict")
    warnings = again.document_of_failure["warnings"]
    assert kinds(warnings) == [
        "runs_long",
        "unknown_class",
        "unknown_account",
        "malformed_id",
        "starts_before_creation",
    ]
    assert warnings[3] == {
        "kind": "malformed_id",
        "subject": "empty",
        "detail": "1 instance, i-5",
        "count": 2,
        "examples": [
            {"subject": "empty", "detail": "1 instance, i-5", "line": 6},
            {"subject": "no id", "detail": "1 instance, i-7", "line": 8},
        ],
    }
    off = await perdure("instances", "import", "usage.csv", "--json", WARN_RUNS_LONGER="off")
    assert kinds(off.document["warnings"])[0] == "unknown_class"


async def test_a_dry_run_of_an_import_warns_as_the_import_does(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    dry = await load(perdure, SUSPICIOUS, "--dry-run", "--json")
    assert await fetch(db, "SELECT count(*) FROM workspace_instance") == [(0,)]
    assert dry.document["warnings"] == (await load(perdure, SUSPICIOUS, "--json")).document["warnings"]


@pytest.mark.usefixtures("system")
async def test_facts_of_one_instant_that_differ_are_a_warning(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    facts = "id,customer,class,started_time,updated_at\n" + "".join(
        f"{each},team:a,{size},{START},{STOP}\n" for each in ("i-1", "i-2") for size in ("", "default")
    )
    (perdure.cwd / "facts.csv").write_text(facts)
    warnings = (await perdure("instances", "import", "facts.csv", "--json")).document["warnings"]
    assert kinds(warnings) == ["runs_long", "differing_facts"]
    assert [each["subject"] for each in warnings[1]["examples"]] == ["i-1", "i-2"]
    await perdure("warnings", "accept", "differing_facts", "i-1", "--reason", "it is the same class")
    again = (await perdure("instances", "import", "facts.csv", "--correct", "--json")).document["warnings"]
    assert [each["subject"] for each in again[1]["examples"]] == ["i-2"]


async def test_a_warning_names_the_file_if_there_are_several(perdure: Perdure, db: Database) -> None:
    for name, instance_id in (("a.csv", "i-1"), ("b.csv", "i-2")):
        (perdure.cwd / name).write_text(f"{COLUMNS}\n{instance_id},team:{instance_id},,,{START},{START},{STOP}\n")
    ran = await perdure("instances", "import", "a.csv", "b.csv")
    assert "    team:i-1 (a.csv, line 2): 1 instance, i-1\n    team:i-2 (b.csv, line 2): 1 instance, i-2\n" in ran.out


async def test_an_import_warns_without_a_rate_card_too(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    (perdure.cwd / "usage.csv").write_text(SUSPICIOUS)
    missing = await perdure("instances", "import", "usage.csv", "--json", RATE_CARD="none.toml")
    assert "unknown_class" not in kinds(missing.document["warnings"])
    assert missing.err == ""
    (perdure.cwd / "bad.toml").write_text("[[version]]")
    invalid = await perdure("instances", "import", "usage.csv", RATE_CARD="bad.toml")
    assert (invalid.status, "unknown_class" in invalid.out) == (0, False)
    assert invalid.err.startswith("perdure: unknown classes are not reported: rate card bad.toml: ")


async def test_what_to_do_fits_a_terminal_of_80_columns() -> None:
    for kind, remedy in WHAT_TO_DO.items():
        assert len(f"  {kind}, 100,000: {remedy}.") <= 80


@pytest.mark.usefixtures("system")
async def test_a_file_without_rows_is_a_warning(perdure: Perdure, db: Database) -> None:
    ran = await load(perdure, f"{COLUMNS}\n")
    assert ran.status == 0
    assert "empty_import, 1: check the export.\n    usage.csv: the file has no rows\n" in ran.out
    assert (await load(perdure, f"{COLUMNS}\n", "--strict")).status == 3
    accounts = "attribution_id,currency\n"
    empty = await perdure("accounts", "import", "-", "--json", "--strict", stdin=accounts.encode())
    assert kinds(empty.document_of_failure["warnings"]) == ["empty_import"]
    accepted = await perdure("warnings", "accept", "empty_import", "usage.csv", "--reason", "a quiet source")
    assert accepted.status == 0
    silent = await load(perdure, f"{COLUMNS}\n", "--strict")
    assert (silent.status, silent.out) == (0, "0 inserted, 0 updated, 0 unchanged, 0 refused.\n")


async def test_two_ids_of_one_run_are_reported_before_they_are_billed(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await load(perdure, f"{COLUMNS}\n" + "".join(f"{i},team:a,ws-1,,,{START},{STOP}\n" for i in ("i-1", "run-8841")))
    said = "ws-1: i-1 and run-8841 run at once from 2022-05-03T09:00:00Z to 2022-05-03T10:00:00Z"
    human, document, strict, status, strict_status = await asyncio.gather(
        perdure("period", "run", "2022-05", "--dry-run"),
        perdure("period", "run", "2022-05", "--dry-run", "--json"),
        perdure("period", "run", "2022-05", "--dry-run", "--strict"),
        perdure("period", "status", "2022-05", "--json"),
        perdure("period", "status", "2022-05", "--strict"),
    )
    assert f"  overlapping, 1: if one is a copy of the other, correct it.\n    {said}\n" in human.out
    assert (human.status, strict.status) == (0, 3)
    assert len(document.document) == 1
    assert document.err == f"perdure: warning: overlapping: {said}\n"
    assert kinds(status.document["warnings"]) == ["overlapping"]
    assert strict_status.status == 3
    assert said in strict_status.out
    assert (await perdure("period", "status", "2022-06", "--strict")).out.count("ws-1") == 0
    refused = await perdure("period", "run", "2022-05", "--strict")
    assert refused.error.startswith("--strict goes with --dry-run")


@pytest.mark.usefixtures("system")
async def test_a_warning_is_accepted_listed_and_withdrawn(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await load(perdure, f"{COLUMNS}\n" + "".join(f"i-{n},team:a,ws-1,,,{START},{STOP}\n" for n in (1, 2)))
    listed = await perdure("warnings", "list", "--period", "2022-05")
    assert "overlapping, 1" in listed.out
    accept = ("warnings", "accept", "overlapping", "ws-1", "--reason", "a pair of workers", "--by", "ann")
    assert (await perdure(*accept)).out.startswith("Accepted: overlapping ws-1.")
    status, rest, all_of_them, document = await asyncio.gather(
        perdure("period", "status", "2022-05", "--strict"),
        perdure("warnings", "list"),
        perdure("warnings", "list", "--all"),
        perdure("warnings", "list", "--all", "--json"),
    )
    assert (status.status, "Worth a look" in status.out) == (0, False)
    assert rest.out == "No warnings.\n"
    assert re.search(r"ws-1 +overlapping +a pair of workers +ann", all_of_them.out)
    assert document.document["warnings"] == []
    assert [(each["subject"], each["accepted_by"]) for each in document.document["accepted"]] == [("ws-1", "ann")]
    assert (await perdure("warnings", "withdraw", "overlapping", "ws-1")).status == 0
    assert kinds((await perdure("warnings", "list", "--json")).document["warnings"]) == ["overlapping"]
    twice, unknown, reason = await asyncio.gather(
        perdure("warnings", "withdraw", "overlapping", "ws-1"),
        perdure("warnings", "accept", "overlaps", "ws-1", "--reason", "x"),
        perdure("warnings", "accept", "overlapping", "ws-1", "--reason", " "),
    )
    assert twice.error == "overlapping ws-1 is not accepted: `perdure warnings list --all` lists those that are"
    assert unknown.error.startswith("'overlaps' is not a kind of warning: the kinds are empty_import, ")
    assert reason.error == "SUBJECT and --reason must not be empty"


async def test_late_usage_names_the_run_that_bills_it(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    await claim_page(db, scope(), card())
    await execute(db, "UPDATE invoice SET state = 'billed', report_id = 'r', stripe_invoice_id = 'in_1'")
    await add_instances(db, instance("j", may(4), may(5)))
    (warning,) = (await perdure("period", "status", "2022-05", "--json")).document["warnings"]
    assert (warning["kind"], warning["subject"]) == ("late_usage", "2022-05")
    said = "1 instance (24.00 h, 14.40 USD) arrived after this period was billed; the run of {} bills that"
    assert warning["detail"] == said.format("2022-06")
    await write_summary(db, "2022-06", {})
    assert said.format("2022-07") in (await perdure("period", "run", "2022-05", "--dry-run")).out


async def test_a_period_without_usage_and_one_far_above_the_last_are_reported(perdure: Perdure, db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    await claim_page(db, scope(), card())
    (warning,) = (await perdure("period", "status", "2022-06", "--json")).document["warnings"]
    assert (warning["kind"], warning["subject"]) == ("nothing_arrived", "2022-06")
    assert warning["detail"] == "no usage has arrived; the latest is of 2022-05-03T00:00:00Z"
    assert (await perdure("period", "status", "2022-04", "--json")).document["warnings"] == []

    await add_instances(db, instance("j", may(33), may(37)))
    said = "above_previous: 2022-06/team:a: 57.60 USD is more than 3 times the 14.40 USD of 2022-05"
    previewed = await perdure("period", "run", "2022-06", "--dry-run", "--json")
    assert previewed.err == f"perdure: warning: {said}\n"
    await claim_page(db, june(), card())
    assert kinds((await perdure("period", "status", "2022-06", "--json")).document["warnings"]) == ["above_previous"]
