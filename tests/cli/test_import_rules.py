"""What an import takes and refuses of a whole file: by format, and wherever its rows are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from sqlalchemy import text

from starter.cli.imports import commands
from starter.cli.imports import importing as imports
from storage.postgres.database import Database
from tests.cli.conftest import CommandResult, Perdure

FORMATS = ("csv", "jsonl", "parquet")
START, STOP = "2022-05-03T09:00:00Z", "2022-05-03T17:00:00Z"

Row = Mapping[str, str]
Import = Callable[..., Any]


def instance(instance_id: str, **changes: str) -> dict[str, str]:
    base = {"id": instance_id, "attribution_id": "team:a", "creation_time": START, "started_time": START}
    return {**base, "stopping_time": "", **changes}


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows in the format that the path's ending says, all with the columns of the first one."""
    names = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    elif path.suffix == ".csv":
        content = io.StringIO()
        csv.DictWriter(content, names).writerows([dict(zip(names, names, strict=True)), *rows])
        path.write_text(content.getvalue())
    else:
        parquet.write_table(pyarrow.table({name: [row[name] for row in rows] for name in names}), path)
    return path


def first_line(ending: str) -> int:
    return 2 if ending == "csv" else 1


@pytest.fixture
def load(perdure: Perdure, database_url: str) -> Import:
    perdure.settings["DATABASE_URL"] = database_url

    async def load_rows(kind: str, ending: str, rows: Sequence[Row], *options: str) -> CommandResult:
        path = write(perdure.cwd / f"{kind}.{ending}", rows)
        return await perdure(kind, "import", path, *options)

    return load_rows


async def fetch(db: Database, query: str) -> list[tuple[object, ...]]:
    async with db.transaction() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def stored(db: Database) -> dict[object, object]:
    return dict(await fetch(db, "SELECT instance_id, upper(during) FROM instance_segment"))  # type: ignore[arg-type]


def at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_older_export_does_not_reopen_an_instance(load: Import, db: Database, ending: str) -> None:
    assert (await load("instances", ending, [instance("i-1", stopping_time=STOP)])).status == 0
    older = [instance("i-1"), instance("i-2")]
    ran = await load("instances", ending, older)
    assert (ran.status, ran.summary) == (4, "1 inserted, 0 updated, 0 unchanged, 1 refused.\n")
    assert ran.err == (
        f"line {first_line(ending)}, column stopping_time: i-1 is known to have stopped at {STOP}: a row without a "
        "stop does not reopen it; import the row with its stop, or use --reopen\n"
    )
    assert await stored(db) == {"i-1": at(STOP), "i-2": None}
    reopened = await load("instances", ending, older, "--reopen")
    assert (reopened.status, reopened.summary) == (0, "0 inserted, 1 updated, 1 unchanged, 0 refused.\n")
    assert await stored(db) == {"i-1": None, "i-2": None}


@pytest.mark.parametrize("ending", FORMATS)
async def test_rows_that_differ_are_refused_however_far_apart(load: Import, db: Database, ending: str) -> None:
    between = [instance(f"i-{number}") for number in range(imports._BATCH + 100)]
    stopped, other = instance("twice", stopping_time=STOP), instance("twice", started_time=STOP, stopping_time=STOP)
    late_stop = instance("i-0", stopping_time=STOP)
    rows = [stopped, *between, other, late_stop, instance("i-1")]
    ran = await load("instances", ending, rows, "--json")
    document = ran.document_of_failure
    first, second = first_line(ending), first_line(ending) + len(between) + 1
    refused = [(fault["line"], fault["column"], fault["reason"].partition(":")[0]) for fault in document["refused"]]
    assert refused == [
        (first, "started_time", f"twice has another started_time in line {second}"),
        (second, "started_time", f"twice has another started_time in line {first}"),
    ]
    counts = [document[name] for name in ("inserted", "updated", "unchanged", "repeated")]
    assert counts == [len(between), 0, 0, 2]
    found = await stored(db)
    assert "twice" not in found
    assert found["i-0"] == at(STOP)


async def test_repeated_rows_are_counted_on_standard_input_too(perdure: Perdure, database_url: str) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    content = write(perdure.cwd / "a.csv", [instance("a"), instance("b"), instance("a"), instance("a")]).read_bytes()
    ran = await perdure("instances", "import", "-", stdin=content)
    assert (ran.status, ran.summary) == (0, "2 inserted, 0 updated, 0 unchanged, 2 repeated, 0 refused.\n")
    other = instance("b", started_time=STOP, stopping_time=STOP)
    content = write(perdure.cwd / "b.csv", [instance("b"), other]).read_bytes()
    ran = await perdure("instances", "import", "-", stdin=content)
    assert (ran.status, ran.summary) == (4, "0 inserted, 0 updated, 0 unchanged, 2 refused.\n")


@pytest.mark.parametrize("ending", FORMATS)
async def test_a_column_that_a_file_lacks_leaves_the_value_alone(load: Import, db: Database, ending: str) -> None:
    full = instance("i", stopping_time=STOP, owner_id="o", workspace_class="xl")
    assert (await load("instances", ending, [full])).status == 0
    without = {name: value for name, value in full.items() if name not in ("stopping_time", "workspace_class")}
    ran = await load("instances", ending, [{**without, "owner_id": ""}])
    assert (ran.status, ran.summary) == (0, "0 inserted, 1 updated, 0 unchanged, 0 refused.\n")
    query = "SELECT owner_id, workspace_class, stopping_time FROM workspace_instance"
    assert await fetch(db, query) == [(None, "xl", at(STOP))]


@pytest.mark.parametrize("ending", FORMATS)
async def test_times_that_stand_for_something_else_are_refused(load: Import, db: Database, ending: str) -> None:
    hour = timedelta(hours=1)
    future, past = ((datetime.now(UTC) + each).isoformat() for each in (hour, -hour))
    rows = [
        instance("epoch", started_time="1970-01-01T00:00:00Z"),
        instance("zero", stopping_time="0001-01-01T00:00:00Z"),
        instance("mistyped", stopping_time="2062-05-03T17:00:00Z"),
        instance("ahead", started_time=future),
        instance("fine", stopping_time=past),
        instance("go", stopping_time="2022-05-03T17:00:00.123456789Z"),
    ]
    document = (await load("instances", ending, rows, "--json")).document_of_failure
    refused = [(fault["column"], fault["reason"].partition(" is ")[2]) for fault in document["refused"]]
    not_set = "not between 2000 and 9998; leave it empty if it is not set"
    ahead = "in the future: the source's clock is ahead, or the year is mistyped"
    assert refused == [
        ("started_time", not_set),
        ("stopping_time", not_set),
        ("stopping_time", ahead),
        ("started_time", ahead),
    ]
    assert await stored(db) == {"fine": at(past), "go": at("2022-05-03T17:00:00.123457Z")}


async def test_the_importers_clock_says_what_is_in_the_future(tmp_path: Path, db: Database) -> None:
    path = write(tmp_path / "a.csv", [instance("i", stopping_time=STOP)])
    early = await commands.import_instances(db, path, lambda: at("2022-05-03T16:54:59Z"))
    assert (early.refused, early.rows) == (1, 0)
    in_time = await commands.import_instances(db, path, lambda: at("2022-05-03T16:55:00Z"))
    assert (in_time.refused, in_time.rows) == (0, 1)


def window(attribution_id: str, **changes: str) -> dict[str, str]:
    return {"attribution_id": attribution_id, "currency": "usd", "started": START, "ended": "", **changes}


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_older_export_does_not_reopen_a_window(load: Import, db: Database, ending: str) -> None:
    assert (await load("accounts", ending, [window("team:a", ended="2042-01-01T00:00:00Z")])).status == 0
    ran = await load("accounts", ending, [window("team:a"), window("team:b")])
    assert (ran.status, ran.summary) == (4, "1 stored, 1 refused.\n")
    assert ran.err.startswith(f"line {first_line(ending)}, column ended: team:a's window from {START} is known to end")
    lacking = {name: value for name, value in window("team:a").items() if name != "ended"}
    assert (await load("accounts", ending, [lacking])).status == 0
    query = "SELECT attribution_id, upper(during) FROM subscription ORDER BY 1"
    assert await fetch(db, query) == [("team:a", at("2042-01-01T00:00:00Z")), ("team:b", None)]
    assert (await load("accounts", ending, [window("team:a")], "--reopen")).status == 0
    assert await fetch(db, query) == [("team:a", None), ("team:b", None)]


@pytest.mark.parametrize("ending", FORMATS)
async def test_rows_of_an_account_that_differ_are_refused_however_far_apart(
    load: Import, db: Database, ending: str
) -> None:
    between = [window(f"user:{number}") for number in range(imports._BATCH + 100)]
    rows = [window("team:a"), window("team:b", ended=STOP), *between]
    rows += [window("team:a"), window("team:b", ended="2022-06-01T00:00:00Z"), window("team:b", started=STOP)]
    ran = await load("accounts", ending, rows)
    assert ran.summary == f"{len(between) + 2} stored, 1 repeated, 2 refused.\n"
    first, second = first_line(ending) + 1, first_line(ending) + len(between) + 3
    assert [line.partition(";")[0] for line in ran.err.splitlines()] == [
        f"line {first}, column ended: team:b: the window has another end in line {second}",
        f"line {second}, column ended: team:b: the window has another end in line {first}",
    ]
    query = "SELECT attribution_id, lower(during) FROM subscription WHERE attribution_id LIKE 'team:%' ORDER BY 1"
    assert await fetch(db, query) == [("team:a", at(START)), ("team:b", at(STOP))]
