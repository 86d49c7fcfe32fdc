"""Databases of a product, which Perdure reads: one of each kind, with the same table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sources.products import MariaDbProduct, PostgresProduct, Product, SqliteProduct
from tests.support.mariadb import MariaDb, serving_mariadb


@pytest.fixture(scope="session")
async def mariadb(scratch: Path) -> AsyncIterator[MariaDb]:
    async with serving_mariadb(scratch) as server:
        yield server


@pytest.fixture
def postgres(postgres_url: str) -> Product:
    return PostgresProduct(postgres_url)


@pytest.fixture
def mysql(mariadb: MariaDb) -> Product:
    return MariaDbProduct(mariadb)


@pytest.fixture
def sqlite(tmp_path: Path) -> Product:
    return SqliteProduct(tmp_path / "product.db")


@pytest.fixture(params=["postgres", "mysql", "sqlite"])
def product(request: pytest.FixtureRequest) -> Product:
    """A product's database, of each kind in turn, with an empty table `runs`."""
    found: Product = request.getfixturevalue(request.param)
    found.execute(
        "DROP TABLE IF EXISTS runs",
        f"CREATE TABLE runs (id varchar(64) PRIMARY KEY, account varchar(64), size varchar(300), started {found.time},"
        f" stopped {found.time}, updated_at {found.time})",
    )
    return found
