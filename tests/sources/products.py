"""A product with a database of its own: what it writes, and the source by which Perdure reads it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from billing.usage.rows import InstanceRow
from sources.config import SqlSource
from sources.errors import SourceError
from sources.reading import RefusedRow
from sources.sql.reader import open_sql
from sources.urls import SourceUrl
from tests.support.mariadb import MariaDb

QUERY = """SELECT id, account, size AS class, started, stopped, updated_at FROM runs
    WHERE updated_at >= :since ORDER BY updated_at, id;"""
PLACE = "sources.toml: source 'product'"


class Product(Protocol):
    """One product's database."""

    url: str
    time: str
    slow: str

    def execute(self, *statements: str) -> None: ...

    def insert(self, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows of `runs`: id, account, started, updated_at."""

    @property
    def series(self) -> str:
        """A table expression `n` with a column `i`: 1 to 200,000."""


class PostgresProduct:
    time = "timestamptz"
    slow = "SELECT id, account, started FROM runs, pg_sleep(60)"
    series = "generate_series(1, 60000) AS n(i)"

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def insert(self, rows: Iterable[Sequence[object]]) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO runs (id, account, started, updated_at) VALUES (%s, %s, %s, %s)", rows)


class MariaDbProduct:
    time = "datetime(6)"
    slow = "SELECT id, account, started, sleep(60) AS size FROM runs"
    series = "(SELECT seq AS i FROM seq_1_to_60000) AS n"

    def __init__(self, server: MariaDb) -> None:
        self.server = server
        self.url = server.url

    def execute(self, *statements: str) -> None:
        self.server.execute(*statements)

    def insert(self, rows: Iterable[Sequence[object]]) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO runs (id, account, started, updated_at) VALUES (%s, %s, %s, %s)", rows)


class SqliteProduct:
    time = "text"
    slow = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)
        SELECT max(i) AS id, 'a' AS account, '2022-05-01' AS started FROM n"""

    series = """(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 60000)
        SELECT i FROM r) AS n"""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def execute(self, *statements: str) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def insert(self, rows: Iterable[Sequence[object]]) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.executemany("INSERT INTO runs (id, account, started, updated_at) VALUES (?, ?, ?, ?)", rows)
        connection.close()


def source_of(product: Product | str, query: str = QUERY, **changes: Any) -> SqlSource:
    """Return the source that reads this database, or the one at this URL."""
    url = product if isinstance(product, str) else product.url
    source = SqlSource(
        name="product",
        place=PLACE,
        url=SourceUrl(url, f"{PLACE}: url", Path("/")),
        every=timedelta(minutes=10),
        lag=timedelta(minutes=15),
        query=query,
    )
    return replace(source, **changes)


def read(source: SqlSource, size: int = 100, since: Any = None) -> tuple[list[InstanceRow], list[RefusedRow]]:
    """Return the rows that a source has, and those that are refused."""
    rows: list[InstanceRow] = []
    refused: list[RefusedRow] = []
    with open_sql(source) as reader:
        for page in reader.pages(since, size):
            rows += page.rows
            refused += page.refused
    return rows, refused


def error_of(source: SqlSource) -> SourceError:
    """Return the error with which a read fails: one line that names the source, without the password."""
    with pytest.raises(SourceError) as caught:
        read(source)
    text = str(caught.value)
    assert text.startswith(PLACE)
    assert "\n" not in text
    assert "for tests" not in text
    return caught.value
