"""Imports of several files, with other names of columns, without zones; and the file of what was refused."""

from __future__ import annotations

import csv
import gzip
import json
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from sqlalchemy import text

from starter.cli.main import app
from storage.postgres.database import Database
from tests.cli.conftest import Perdure

HEADER = "Run ID;Customer;Class;Started At;Ended At;Note\n"
PLAIN = "id,attribution_id,started_time,stopped_time\n"
WRITE = "write ISO 8601 with a zone, such as 2022-05-01T09:30:00Z"
ENDINGS = ".csv, .tsv, .jsonl, .ndjson, .parquet (text also with .gz)"
NO_ZONE = "has no time zone; add one, such as Z for UTC"


@pytest.fixture
def perdure(perdure: Perdure, database_url: str) -> Perdure:
    perdure.settings["DATABASE_URL"] = database_url
    return perdure


async def stored(db: Database) -> list[tuple[object, ...]]:
    query = "SELECT id, attribution_id, workspace_class, started_time::text, stopped_time::text FROM workspace_instance"
    async with db.transaction() as connection:
        await connection.execute(text("SET LOCAL timezone = 'UTC'"))
        return [tuple(row) for row in await connection.execute(text(f"{query} ORDER BY id"))]


async def test_names_of_columns_separators_and_zones_are_those_of_the_file(perdure: Perdure, db: Database) -> None:
    rows = ["i-1;acme;xl;2022-05-01 02:00:00;2022-05-01T03:00:00Z;x", "i-2;42;;2022-10-30 02:30;;"]
    (perdure.cwd / "runs.csv").write_text(HEADER + "\n".join([*rows, "i-3;a/b;;2022-03-27 02:30;;"]))
    unknown = await perdure("instances", "import", "runs.csv")
    assert unknown.error.startswith("runs.csv: column 'Note' is not known; the columns of instances are id, ")
    ran = await perdure("instances", "import", "runs.csv", "--map", "note=", "--assume-zone", "Europe/Berlin")
    assert (ran.status, ran.summary) == (4, "1 inserted, 0 updated, 0 unchanged, 2 refused.\n")
    clocks = "by the clocks of Europe/Berlin, which were changed; write the time with its zone"
    assert ran.err.splitlines() == [
        f"line 3, column started_time: 2022-10-30T02:30:00 was shown twice {clocks}",
        f"line 4, column started_time: 2022-03-27T02:30:00 was never shown {clocks}",
    ]
    assert await stored(db) == [("i-1", "acme", "xl", "2022-05-01 00:00:00+00", "2022-05-01 03:00:00+00")]


async def test_rows_that_differ_are_found_across_files_and_named_with_them(perdure: Perdure, db: Database) -> None:
    exports = perdure.cwd / "exports"
    (exports / "sub").mkdir(parents=True)
    (exports / "a.csv").write_text(PLAIN + "i-1,acme,2022-05-01T00:00:00Z,\ni-2,acme,2022-05-01T00:00:00Z,\n")
    row = {"id": "i-1", "account": "other", "start": "2022-05-01T00:00:00Z", "stop": None}
    (exports / "sub/b.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    (exports / "notes.txt").write_text("no rows")
    extra = perdure.cwd / "c.parquet"
    parquet.write_table(pyarrow.table({"id": ["i-3"], "customer": [7], "start": ["yesterday"]}), extra)
    ran = await perdure("instances", "import", "exports", extra)
    assert (ran.status, ran.summary) == (4, "1 inserted, 0 updated, 0 unchanged, 3 refused.\n")
    first, second = "exports/a.csv, line 2", "exports/sub/b.jsonl.gz, line 1"
    what, rest = "attribution_id: i-1 has another attribution_id", "neither row is imported; leave only the right one"
    assert [line.removesuffix(" in the file") for line in ran.err.splitlines()] == [
        f"{first}, column {what} in {second}: {rest}",
        f"{second}, column {what} in {first}: {rest}",
        f"{extra}, line 1, column started_time: 'yesterday' is not a time; {WRITE}",
        f"perdure: warning: exports/notes.txt is left out: its ending is none of {ENDINGS}",
    ]
    assert [row[0] for row in await stored(db)] == ["i-2"]
    document = (await perdure("instances", "import", "exports", "c.parquet", "--json")).document_of_failure
    assert [(fault["file"], fault["line"]) for fault in document["refused"]] == [
        ("exports/a.csv", 2), ("exports/sub/b.jsonl.gz", 1), ("c.parquet", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
async def test_refused_rows_can_be_corrected_and_imported_again(perdure: Perdure, db: Database, ending: str) -> None:
    lines = [
        "i-1,acme,2022-05-01T00:00:00Z,",
        "i-2,acme,yesterday,",
        "i-3,acme",
        'i-4,"a, b",2022-05-01T00:00:00Z,',
        'i-4,"a, c",2022-05-01T00:00:00Z,',
    ]
    (perdure.cwd / "runs.csv").write_text(PLAIN.replace("attribution_id", "customer") + "\n".join(lines))
    rejects = perdure.cwd / f"rejects.{ending}"
    ran = await perdure("instances", "import", "runs.csv", "--rejects", rejects)
    assert ran.summary == "1 inserted, 0 updated, 0 unchanged, 4 refused.\n"
    if ending == "csv":
        refused = list(csv.DictReader(rejects.read_text().splitlines()))
        assert list(refused[0]) == [*PLAIN.strip().split(","), "line", "file", "reason"]
    else:
        refused = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(row["line"], row["file"]) for row in refused] == [
        (number if ending == "jsonl" else str(number), "runs.csv") for number in (3, 4, 5, 6)
    ]
    assert refused[0]["started_time"] == "yesterday"
    assert refused[0]["reason"].startswith("started_time: 'yesterday' is not a time")
    assert refused[1]["reason"] == "row: has 2 fields; the header has 4 columns"
    assert (refused[2]["attribution_id"], refused[3]["attribution_id"]) == ("a, b", "a, c")
    assert refused[2]["reason"].startswith("attribution_id: i-4 has another attribution_id in line 6")
    again = await perdure("instances", "import", "runs.csv", "--rejects", rejects)
    assert again.error == f"--rejects {rejects}: this file exists; remove it or choose another name"

    corrected = rejects.read_text().replace("yesterday", "2022-05-02T00:00:00Z").replace("a, b", "ab").splitlines(True)
    rejects.write_text("".join(line for line in corrected if "a, c" not in line and "has 2 fields" not in line))
    assert (await perdure("instances", "import", rejects)).summary == "2 inserted, 0 updated, 0 unchanged, 0 refused.\n"
    assert [row[:2] for row in await stored(db)] == [("i-1", "acme"), ("i-2", "acme"), ("i-4", "ab")]


async def test_rows_with_columns_of_their_own_keep_them_as_json_lines(perdure: Perdure) -> None:
    (perdure.cwd / "a.jsonl").write_text(
        '{"id":"1","start":"x"}\n{"id":"2","stop":"y","n":{}}\n{"id":"3"}\nnonsense\n{"id":"\\ud800"}'
    )
    ran = await perdure("instances", "import", "a.jsonl", "--rejects", "r.jsonl")
    assert ran.summary == "1 inserted, 0 updated, 0 unchanged, 4 refused.\n"
    refused = [json.loads(line) for line in (perdure.cwd / "r.jsonl").read_text().splitlines()]
    assert [sorted({*row} - {"line", "file", "reason"}) for row in refused] == [
        ["id", "started_time"], ["id", "n", "stopped_time"], [], ["id"],
    ]  # fmt: skip
    ran = await perdure("instances", "import", "a.jsonl", "--rejects", "r.csv")
    assert json.loads((perdure.cwd / "r.jsonl").read_text().splitlines()[3])["id"] == "\ud800"
    assert "\n\\ud800," in (perdure.cwd / "r.csv").read_text()
    assert "perdure: warning: r.csv: its rows had different columns, and a field that is empty now would" in ran.err


async def test_many_faults_of_a_kind_are_one_line(perdure: Perdure) -> None:
    rows = "".join(f"i-{number},acme,2022-05-01 00:{number % 60:02}:00,\n" for number in range(19_900))
    (perdure.cwd / "a.csv").write_text(PLAIN + rows + "x,acme,2022-05-01T00:00:00Z,1651654740\n")
    ran = await perdure("instances", "import", "a.csv")
    assert ran.err.splitlines() == [
        f"19,900 rows, column started_time: '2022-05-01 00:00:00' {NO_ZONE} (lines 2, 3, 4, ...)",
        "line 19902, column stopped_time: '1651654740' is not a time; write seconds since 1970 as 2022-05-04T08:59:00Z",
    ]
    document = (await perdure("instances", "import", "a.csv", "--json")).document_of_failure
    assert len(document["refused"]) == 19_901


async def test_an_import_without_rows_is_a_warning(perdure: Perdure) -> None:
    (perdure.cwd / "empty").mkdir()
    (perdure.cwd / "a.csv").write_text(PLAIN)
    for names, message in (
        (["a.csv"], "a.csv: the file has no rows"),
        (["a.csv", "a.csv"], "a.csv: none of 2 files has rows"),
        (["empty"], "none: there are no files to import"),
    ):
        ran = await perdure("instances", "import", *names)
        assert (ran.status, ran.summary) == (0, "0 inserted, 0 updated, 0 unchanged, 0 refused.\n")
        assert f"  empty_import, 1: check the export.\n    {message}\n" in ran.out


async def test_what_is_asked_for_wrongly_is_refused_in_a_line(perdure: Perdure) -> None:
    (perdure.cwd / "accounts.csv").write_text("customer,currency\nacme,usd\n")
    (perdure.cwd / "instances.csv").write_text("id,customer,start\ni-1,acme,2022-05-01T00:00:00Z\n")
    for command, message in (
        ("instances import accounts.csv", "accounts.csv: this looks like a file of accounts: use `perdure "),
        ("accounts import instances.csv", "instances.csv: this looks like a file of instances: use `perdure "),
        ("instances import instances.csv --map a=b", "--map 'a=b': there is no column 'b'; the columns of "),
        ("instances import instances.csv --map start=id", "instances.csv: columns 'id' and 'start' are both id"),
        ("instances import instances.csv --assume-zone CEST", "--assume-zone 'CEST': write a time zone's name, "),
        ("instances import instances.csv --format xlsx", "--format 'xlsx': write one of csv, jsonl, parquet"),
        ("instances import instances.csv --rejects r.txt", "--rejects r.txt: name a file that ends in .csv or .jsonl"),
        ("instances import instances.csv --rejects no/r.csv", "--rejects no/r.csv: there is no folder no"),
    ):  # fmt: skip
        assert (await perdure(*command.split())).error.startswith(message)


async def test_a_compressed_file_that_is_cut_off_loses_nothing_that_was_read(perdure: Perdure, db: Database) -> None:
    rows = "".join(f"i-{number},acme,2022-05-01T00:00:00Z,\n" for number in range(6000))
    whole = gzip.compress((PLAIN + rows).encode())
    (perdure.cwd / "a.csv.gz").write_bytes(whole[:-10])
    ran = await perdure("instances", "import", "a.csv.gz")
    count = len(await stored(db))
    assert (ran.status, ran.summary) == (4, f"{count} inserted, 0 updated, 0 unchanged, 0 refused.\n")
    assert ran.err == (
        f"perdure: a.csv.gz: the compressed file is cut off: its end is missing; imported before that: {count:,} rows\n"
    )
    assert count > 5900


@pytest.mark.parametrize("group", ["instances", "accounts"])
def test_the_help_fits_a_terminal_of_80_columns(group: str) -> None:
    loaded: Any = app.commands[group]
    command = loaded.load().commands["import"]
    shown = command.get_help(command.context_class(command, info_name=f"perdure {group} import", terminal_width=80))
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.replace("{FILE}...", "")
