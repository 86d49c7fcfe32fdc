"""`perdure instances import` and `accounts import`, into a real database."""

from __future__ import annotations

import asyncio
import json
import re

from sqlalchemy import text

from starter.cli.imports import importing as imports
from storage.postgres.database import Database
from tests.cli.conftest import UNREACHABLE_DATABASE, Perdure

INSTANCES = """\
id,attribution_id,workspace_class,creation_time,started_time,stopping_time
i-1,team:a,default,2022-05-01T00:00:00Z,2022-05-01T00:00:00Z,2022-05-02T00:00:00Z
i-2,team:a,default,2022-05-01T00:00:00Z,yesterday,
i-3,team:b,xl,2022-05-01T00:00:00+02:00,2022-05-01T00:00:00.000001+02:00,
,team:b,xl,,,
"""
ACCOUNTS = """\
attribution_id,stripe_customer_id,currency,bill_after,started,ended
team:a,cus_a,USD,,2022-05-01T00:00:00Z,2022-05-10T00:00:00Z
team:a,,usd,,2022-05-20T00:00:00Z,
team:b,cus_a,eur,,2022-05-01T00:00:00Z,
no body,,euro,,2022-05-03T00:00:00Z,2022-05-01T00:00:00Z
"""

NOT_A_TIME = "'yesterday' is not a time; write ISO 8601 with a zone, such as 2022-05-01T09:30:00Z"


async def rows(db: Database, query: str) -> list[tuple[object, ...]]:
    async with db.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def test_good_instances_are_kept_and_bad_ones_reported(perdure: Perdure, database_url: str, db: Database) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    (perdure.cwd / "usage.csv").write_text(INSTANCES)
    first = await perdure("instances", "import", "usage.csv")
    assert first.status == 4
    assert first.summary == "2 inserted, 0 updated, 0 unchanged, 2 refused.\n"
    assert first.err.splitlines() == [
        f"line 3, column started_time: {NOT_A_TIME}",
        "line 5, column id: is required but empty",
    ]
    fixed = INSTANCES.replace("yesterday", "2022-05-01T00:00:00Z").replace("i-3,team:b", "i-3,team:c").rstrip("\n")
    second = await perdure("instances", "import", "-", "--json", stdin=fixed.encode())
    assert second.status == 4
    assert second.err == "perdure: 2 rows refused\n"
    payer = (
        "i-3 is known with attribution_id team:b, not team:c: the rest of the row is taken; give the row an updated_at "
        "if it changed then, or use --correct if it was wrong"
    )
    document = json.loads(second.out)
    assert [warning["kind"] for warning in document.pop("warnings")] == ["runs_long", "unknown_account"]
    assert document == {
        "inserted": 1,
        "updated": 0,
        "unchanged": 2,
        "stale": 0,
        "repeated": 0,
        "refused": [
            {"line": 4, "column": "attribution_id", "reason": payer},
            {"line": 5, "column": "id", "reason": "is required but empty"},
        ],
        "misbilled": [],
    }
    assert await rows(db, "SELECT id, attribution_id FROM workspace_instance ORDER BY id") == [
        ("i-1", "team:a"),
        ("i-2", "team:a"),
        ("i-3", "team:b"),
    ]


async def test_good_accounts_are_kept_and_bad_ones_reported(perdure: Perdure, database_url: str, db: Database) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    (perdure.cwd / "accounts.csv").write_text(ACCOUNTS)
    first = await perdure("accounts", "import", "accounts.csv", "--json")
    assert first.status == 4
    document = json.loads(first.out)
    assert document["stored"] == 2
    assert [(fault["line"], fault["column"]) for fault in document["refused"]] == [
        (4, "stripe_customer_id"),
        (5, "attribution_id"),
        (5, "currency"),
    ]
    assert first.err == "perdure: 2 rows refused\n"
    again = "\n".join(ACCOUNTS.splitlines()[:3])
    assert (await perdure("accounts", "import", "-", stdin=again.encode())).out == "2 stored, 0 refused.\n"
    assert await rows(db, "SELECT attribution_id, stripe_customer_id, currency FROM account") == [
        ("team:a", "cus_a", "usd")
    ]
    assert await rows(db, "SELECT count(*) FROM subscription") == [(2,)]


async def test_what_cannot_be_imported_is_refused_in_a_line(perdure: Perdure, database_url: str) -> None:
    (perdure.cwd / "wrong.csv").write_text("id,cpu\n")
    (perdure.cwd / "usage.csv").write_text(INSTANCES)
    missing, columns, unreachable, empty = await asyncio.gather(
        perdure("instances", "import", "none.csv"),
        perdure("accounts", "import", "wrong.csv"),
        perdure("instances", "import", "usage.csv", DATABASE_URL=UNREACHABLE_DATABASE),
        perdure("instances", "import", "usage.csv", DATABASE_URL=re.sub(r"/[^/]*$", "/template1", database_url)),
    )
    assert missing.error == "none.csv: cannot be read: No such file or directory"
    assert columns.error.startswith("wrong.csv: column 'attribution_id' is missing; column 'currency' is missing; ")
    assert "cannot connect to PostgreSQL at 127.0.0.1:1/none" in unreachable.error
    assert "secret" not in unreachable.error
    assert empty.error == "the database lacks Perdure's tables: run `perdure db upgrade`"


async def test_a_big_file_goes_in_by_batches_that_are_whole(perdure: Perdure, database_url: str, db: Database) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    good = "".join(json.dumps({"id": f"i-{n}", "attribution_id": "team:a"}) + "\n" for n in range(imports._BATCH + 1))
    bad = "nonsense\n" * 150
    (perdure.cwd / "usage.jsonl").write_text(good + bad)
    ran = await perdure("instances", "import", "usage.jsonl")
    assert ran.summary == f"{imports._BATCH + 1} inserted, 0 updated, 0 unchanged, 150 refused.\n"
    first = imports._BATCH + 2
    assert ran.err == (
        "150 rows, column row: is not JSON: Expecting value, at character 1 "
        f"(lines {first}, {first + 1}, {first + 2}, ...)\n"
    )

    rows_of = [f"j-{n},team:a,,\n" for n in range(imports._BATCH + 1)]
    text_ = "id,attribution_id,creation_time,started_time\n" + "".join(rows_of) + "x" * (1024 * 1024 + 1)
    broken = await perdure("instances", "import", "-", stdin=text_.encode())
    assert broken.status == 4
    assert broken.err == (
        f"perdure: -: line {imports._BATCH + 3} is longer than 1048576 bytes; "
        f"imported before that: {imports._BATCH + 1:,} rows\n"
    )
    assert await rows(db, "SELECT count(*) FROM workspace_instance") == [(2 * imports._BATCH + 2,)]
