"""Postgres as a source: its types and times, and each way in which it cannot be read."""

from __future__ import annotations

import os
import signal
import socket
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pytest

from sources.errors import Failure, SourceError
from sources.sql.reader import open_sql
from tests.sources.products import PLACE, Product, error_of, read, source_of


def test_values_of_all_types(postgres: Product) -> None:
    query = """SELECT '6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b'::uuid AS id, 4711::bigint AS account,
        12::numeric(20, 0) AS workspace, 'xl'::char(9) AS class, 'web'::bytea AS project, 2.500000::numeric AS quantity,
        '2022-05-01 12:00:00.123456+02'::timestamptz AS started, '2022-05-01 10:00'::timestamp AS created"""
    (row,), refused = read(source_of(postgres, query))
    assert refused == []
    assert (row.id, row.attribution_id) == ("6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b", "4711")
    assert (row.workspace_id, row.workspace_class, row.project_id) == ("12", "xl", "web")
    assert str(row.quantity) == "2.5"
    assert row.started_time == datetime(2022, 5, 1, 10, 0, 0, 123456, UTC)
    assert row.creation_time == datetime(2022, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("'infinity'::timestamptz", "'infinity' is not a time"),
        ("'2022-05-01'::date", "'2022-05-01' is not a time; write ISO 8601"),
        ("'20000-05-01'::timestamp", "is not a time"),
        ("'0044-03-15 BC'::timestamptz", "is not a time"),
        ("true", "True is not a time"),
        ("1651399200000", "write milliseconds since 1970 as 2022-05-01T10:00:00Z"),
        ("interval '1 hour'", "is not a time"),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault_of_its_row(postgres: Product, value: str, reason: str) -> None:
    query = f"SELECT id, 'a' AS account, CASE WHEN id = 1 THEN {value} END AS started FROM generate_series(1, 2) AS id"
    rows, refused = read(source_of(postgres, query))
    assert [row.id for row in rows] == ["2"]
    assert [(row.instance_id, row.faults[0].line) for row in refused] == [("1", 1)]
    assert reason in refused[0].faults[0].reason


def test_naive_times_are_those_of_the_zone(postgres: Product) -> None:
    postgres.execute(
        "CREATE TABLE local (id text, at timestamp)",
        "INSERT INTO local VALUES ('1', '2022-05-01 12:00'), ('2', '2022-10-30 02:30'), ('3', '2022-05-01 11:59')",
    )
    query = "SELECT id, 'a' AS account, at AS started, at AS updated_at FROM local WHERE at >= :since ORDER BY id"
    berlin = source_of(postgres, query, zone=ZoneInfo("Europe/Berlin"))
    (row,), (twice,) = read(berlin, since=datetime(2022, 5, 1, 10, tzinfo=UTC))
    assert (row.id, row.updated_at) == ("1", datetime(2022, 5, 1, 10, tzinfo=UTC))
    assert "was shown twice by the clocks of Europe/Berlin" in twice.faults[0].reason


def test_the_session_of_another_style_reads_the_same(postgres: Product) -> None:
    name = urlsplit(postgres.url).path.removeprefix("/")
    postgres.execute(
        f"ALTER DATABASE \"{name}\" SET DateStyle = 'German'", f"ALTER DATABASE \"{name}\" SET TimeZone = 'Asia/Tokyo'"
    )
    query = "SELECT 1 AS id, 'a' AS account, '2022-05-01 12:00+00'::timestamptz AS started"
    (row,), _ = read(source_of(postgres, query))
    assert row.started_time == datetime(2022, 5, 1, 12, tzinfo=UTC)


def test_it_is_read_only(postgres: Product) -> None:
    postgres.execute(
        "CREATE TABLE t (n int)",
        "CREATE FUNCTION grow() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING n'",
    )
    error = error_of(source_of(postgres, "SELECT grow() AS id, 'a' AS account, now() AS started"))
    assert "read-only transaction" in str(error)


def test_credentials(postgres: Product) -> None:
    parts = urlsplit(postgres.url)
    for url in (
        parts._replace(netloc=f"nobody:for%20tests@{parts.hostname}:{parts.port}"),
        parts._replace(netloc=f"{parts.username}:for%20tests@{parts.hostname}:{parts.port}"),
        parts._replace(path="/elsewhere"),
    ):
        error = error_of(source_of(url.geturl()))
        assert (error.failure, error.transient) == (Failure.CREDENTIALS, False)


def test_a_function_that_fails_is_a_wrong_query(postgres: Product) -> None:
    error = error_of(source_of(postgres, "SELECT pg_read_file('/nowhere') AS id, 'a' AS account, now() AS started"))
    assert error.failure is Failure.QUERY
    assert "/nowhere" in str(error)


def test_a_server_that_is_down(postgres: Product) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = error_of(source_of(f"postgresql://me:for%20tests@127.0.0.1:{closed.getsockname()[1]}/x"))
    assert (error.failure, error.transient) == (Failure.CONNECT, True)
    assert str(error).startswith(f"{PLACE}: cannot connect: ")
    assert "refused" in str(error)


@pytest.mark.waits
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_accepts_and_says_nothing(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postgres", "mysql"):
        monkeypatch.setattr(f"sources.sql.{module}.CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = error_of(source_of(f"{scheme}://me:for%20tests@127.0.0.1:{silent.getsockname()[1]}/x"))
    assert error.transient


def backend_of(postgres: Product) -> int:
    """Return the process that serves a reader's connection."""
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'perdure' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_connection_that_is_lost_half_way(postgres: Product) -> None:
    query = "SELECT id, 'a' AS account, now() AS started FROM generate_series(1, 100000) AS id"
    with open_sql(source_of(postgres, query)) as reader:
        pages = reader.pages(None, 10)
        assert next(pages).count == 10
        postgres.execute(f"SELECT pg_terminate_backend({backend_of(postgres)}, 10000)")
        with pytest.raises(SourceError) as caught:
            list(pages)
    assert (caught.value.failure, caught.value.transient) == (Failure.LOST, True)
    assert str(caught.value).startswith(f"{PLACE}: the connection was lost: ")


@pytest.mark.waits
@pytest.mark.skipif("PERDURE_TEST_DATABASE_URL" in os.environ, reason="the server is not ours to freeze")
def test_a_server_that_freezes_is_left_by_its_cancellation_and_by_the_timeout(postgres: Product) -> None:
    query = "SELECT id, 'a' AS account, now() AS started FROM generate_series(1, 100000) AS id"
    for failure, timeout in ((Failure.CANCELLED, 300), (Failure.TIMEOUT, 1)):
        with open_sql(source_of(postgres, query, timeout=timedelta(seconds=timeout))) as reader:
            pages = reader.pages(None, 10)
            assert next(pages).count == 10
            backend = backend_of(postgres)
            os.kill(backend, signal.SIGSTOP)
            try:
                cancel = threading.Timer(0.2, reader.cancel if failure is Failure.CANCELLED else str)
                cancel.start()
                with pytest.raises(SourceError) as caught:
                    list(pages)
                cancel.join()
            finally:
                os.kill(backend, signal.SIGCONT)
        assert caught.value.failure is failure


@pytest.mark.parametrize(
    "rest",
    [
        "me:a@geheim@host/x",
        "me:geheim/b@host/x",
        "me:geheim?b@host/x",
        "me:geheim%zz@host/x",
        "host/x?password=geheim%zz",
    ],
)
def test_a_password_that_breaks_its_url_is_not_shown(rest: str) -> None:
    """libpq quotes what it takes for a host, and a percent sign with what follows it."""
    with pytest.raises(SourceError) as caught, open_sql(source_of(f"postgresql://{rest}")):
        pass
    assert "its URL is malformed: write postgresql://user:password@host:5432/database" in str(caught.value)
    assert "geheim" not in str(caught.value)
