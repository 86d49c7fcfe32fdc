"""MariaDB as a source: its types and times, and each way in which it cannot be read."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.errors import InputError
from sources.errors import Failure, SourceError
from sources.sql.mysql_url import parse_mysql_url
from sources.sql.reader import open_sql
from tests.sources.products import PLACE, Product, error_of, read, source_of
from tests.support.mariadb import MariaDb

SERIES = "SELECT seq AS id, 'a' AS account, '2022-05-01 10:00:00' AS started FROM seq_1_to_10000000"


def test_values_of_all_types(mysql: Product) -> None:
    query = """SELECT 4711 AS id, CAST('acme' AS BINARY) AS account, CAST(12 AS DECIMAL(20, 0)) AS workspace,
        2.5 AS quantity, CAST('2022-05-01 10:00:00.123456' AS DATETIME(6)) AS started, NULL AS stopped"""
    (row,), refused = read(source_of(mysql, query))
    assert refused == []
    assert (row.id, row.attribution_id, row.workspace_id, str(row.quantity)) == ("4711", "acme", "12", "2.5")
    assert row.started_time == datetime(2022, 5, 1, 10, 0, 0, 123456, UTC)
    assert row.stopped_time is None


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("started", "CAST('2022-05-01' AS DATE)", "'2022-05-01' is not a time; write ISO 8601"),
        ("started", "TIME('10:00:00')", "is not a time"),
        ("started", "CAST('0000-00-00' AS DATETIME)", "'0000-00-00 00:00:00' is not a time"),
        ("account", "UNHEX('FF00')", "is not UTF-8 text"),
        ("account", "1.5", "is not text"),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault_of_its_row(mysql: Product, column: str, value: str, reason: str) -> None:
    given = {"started": "'2022-05-01 10:00:00'", "account": "'a'", column: value}
    query = f"SELECT 1 AS id, {given['account']} AS account, {given['started']} AS started"
    rows, refused = read(source_of(mysql, query))
    assert rows == []
    assert (refused[0].instance_id, refused[0].faults[0].line) == ("1", 1)
    assert reason in refused[0].faults[0].reason


def test_timestamps_and_naive_times_are_those_of_the_zone(mysql: Product) -> None:
    query = (
        "SELECT 1 AS id, 'a' AS account, FROM_UNIXTIME(1651399200) AS started, TIMESTAMP('2022-05-01 12:00') AS created"
    )
    (row,), _ = read(source_of(mysql, query))
    assert row.started_time == datetime(2022, 5, 1, 10, tzinfo=UTC)
    assert row.creation_time == datetime(2022, 5, 1, 12, tzinfo=UTC)
    error = error_of(source_of(mysql, query, zone=ZoneInfo("Europe/Berlin")))
    assert "the server lacks the time zone: load it with mysql_tzinfo_to_sql" in str(error)


def test_it_is_read_only(mysql: Product) -> None:
    mysql.execute(
        "DROP FUNCTION IF EXISTS grow",
        "CREATE TABLE IF NOT EXISTS t (n int)",
        "CREATE FUNCTION grow() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END",
    )
    error = error_of(source_of(mysql, "SELECT grow() AS id, 'a' AS account, NOW() AS started"))
    assert "READ ONLY transaction" in str(error)


def test_credentials(mariadb: MariaDb) -> None:
    for url in (mariadb.url.replace("reader", "nobody"), mariadb.url.replace("only", "x"), f"{mariadb.url}x"):
        error = error_of(source_of(url))
        assert (error.failure, error.transient) == (Failure.CREDENTIALS, False)


def test_a_server_that_is_down() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = error_of(source_of(f"mysql://me:for%20tests@127.0.0.1:{closed.getsockname()[1]}/x"))
    assert (error.failure, error.transient) == (Failure.CONNECT, True)
    assert str(error) == f"{PLACE}: cannot connect: Connection refused"
    assert error_of(source_of("mysql://me@host.invalid/x")).failure is Failure.CONNECT


def test_a_connection_that_is_lost_half_way(mysql: Product) -> None:
    with open_sql(source_of(mysql, SERIES)) as reader:
        pages = reader.pages(None, 10)
        assert next(pages).count == 10
        readers = "SELECT id FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()"
        mysql.execute(f"BEGIN NOT ATOMIC FOR c IN ({readers}) DO KILL CONNECTION c.id; END FOR; END")
        with pytest.raises(SourceError) as caught:
            list(pages)
    assert (caught.value.failure, caught.value.transient) == (Failure.LOST, True)


@pytest.mark.waits
def test_a_server_that_freezes_is_left_by_the_timeout(mysql: Product, mariadb: MariaDb) -> None:
    with open_sql(source_of(mysql, SERIES, timeout=timedelta(seconds=1))) as reader:
        pages = reader.pages(None, 10)
        assert next(pages).count == 10
        with mariadb.frozen(), pytest.raises(SourceError) as caught:
            list(pages)
    assert caught.value.failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:geheim@host:port/x", "is malformed: write mysql://user:password@host:3306/database"),
        ("mysql://me:geheim@host/x?tls=geheim", "has an unknown option 'tls': the options are ssl_ca, "),
    ],
)
def test_a_wrong_url(url: str, words: str) -> None:
    with pytest.raises(InputError) as caught, open_sql(source_of(url)):
        pass
    assert str(caught.value).startswith(f"{PLACE}: url: {words}")
    assert "geheim" not in str(caught.value)


def test_parts_of_a_url() -> None:
    url = parse_mysql_url("mysql+pymysql://m%40e:p%2F@[::1]/my%20db?ssl_ca=/ca.pem&charset=utf8mb4")
    assert (url.host, url.port, url.user, url.password, url.database) == ("::1", 3306, "m@e", "p/", "my db")
    assert url.tls == {"ssl_ca": "/ca.pem", "ssl_verify_cert": True, "ssl_verify_identity": True}
    assert "p/" not in repr(url)
