"""SQLite as a source: what its texts are, and each way in which a file cannot be read."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from billing.errors import InputError
from sources.errors import Failure
from sources.sql.reader import open_sql
from tests.sources.products import PLACE, Product, error_of, read, source_of

QUERY = "SELECT id, 'a' AS account, at AS started, at AS updated_at FROM t WHERE at >= :since ORDER BY id"


@pytest.mark.parametrize("since", ["2022-05-01 12:00:00", "2022-05-01T12:00:00Z", "2022-05-01 12:00:00.25"])
def test_times_are_texts_of_any_form(sqlite: Product, since: str) -> None:
    sqlite.execute("CREATE TABLE t (id, at)", f"INSERT INTO t VALUES (1, '{since}'), (2, '2022-04-30 12:00:00')")
    (row,), refused = read(source_of(sqlite, QUERY), since=datetime(2022, 5, 1, 12, tzinfo=UTC))
    assert refused == []
    assert row.updated_at is not None
    assert row.updated_at.replace(microsecond=0) == datetime(2022, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_zone_hides_neither_naive_times_nor_those_with_a_zone(sqlite: Product, zone: str) -> None:
    local = datetime(2022, 5, 1, 12, tzinfo=UTC).astimezone(ZoneInfo(zone))
    sqlite.execute(
        "CREATE TABLE t (id, at)", f"INSERT INTO t VALUES (1, '{local:%Y-%m-%d %H:%M:%S}'), (2, '2022-05-01T12:00:00Z')"
    )
    source = source_of(sqlite, QUERY, zone=ZoneInfo(zone))
    rows, _ = read(source, since=datetime(2022, 5, 1, 12, tzinfo=UTC))
    assert {row.updated_at for row in rows} == {datetime(2022, 5, 1, 12, tzinfo=UTC)}
    assert len(rows) == 2


def test_values_that_do_not_fit_are_faults_of_their_rows(sqlite: Product) -> None:
    sqlite.execute(
        "CREATE TABLE t (id, at)",
        "INSERT INTO t VALUES (1, 1651399200), (CAST(x'ff' AS TEXT), '2022-05-01 12:00:00'), (2.5, NULL), (4, NULL)",
    )
    rows, refused = read(source_of(sqlite, "SELECT id, 'a' AS account, at AS started FROM t"))
    assert [row.id for row in rows] == ["4"]
    reasons = [(row.faults[0].line, row.faults[0].column, row.faults[0].reason) for row in refused]
    assert reasons == [
        (1, "started_time", "1651399200 is not a time; write seconds since 1970 as 2022-05-01T10:00:00Z"),
        (2, "id", "is not UTF-8 text"),
        (3, "id", "2.5 is not text"),
    ]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, whatever its name says" * 100)
    for name in ("gone.db", "text.db"):
        error = error_of(source_of(f"sqlite:///{tmp_path}/{name}"))
        assert error.failure is Failure.QUERY
        assert str(error).startswith(f"{PLACE}: cannot open {tmp_path}/{name}: ")
    assert not (tmp_path / "gone.db").exists()


def test_a_file_that_is_locked(sqlite: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.sql.sqlite._BUSY_SECONDS", 0.1)
    sqlite.execute("CREATE TABLE t (id, at)")
    writer = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    error = error_of(source_of(sqlite, QUERY))
    writer.close()
    assert (error.failure, error.transient) == (Failure.CONNECT, True)


def test_wal_is_read_while_it_is_written(sqlite: Product) -> None:
    sqlite.execute("PRAGMA journal_mode = wal", "CREATE TABLE t (id, at)")
    writer = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("INSERT INTO t VALUES (1, '2022-05-01 12:00:00')")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (2, '2022-05-01 12:00:00')")
    assert [row.id for row in read(source_of(sqlite, QUERY))[0]] == ["1"]
    writer.execute("COMMIT")
    writer.close()
    assert [row.id for row in read(source_of(sqlite, QUERY))[0]] == ["1", "2"]


def test_an_unknown_scheme() -> None:
    with pytest.raises(InputError) as caught, open_sql(source_of("oracle://me:geheim@host/x")):
        pass
    words = "its scheme is not known: write postgresql://, mysql:// or sqlite:///path"
    assert str(caught.value) == f"{PLACE}: url: {words}"
