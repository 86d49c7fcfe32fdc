"""Rows become dataclasses by column name: order and extra columns do not matter, a missing column is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Row, text

from billing.invoice.states import InvoiceState
from storage.postgres.database import Database
from storage.postgres.rows import MissingColumnError, reader, record


@dataclass(frozen=True)
class Sample:
    key: str
    amount: int
    state: InvoiceState
    resume_state: InvoiceState | None = None


@dataclass(frozen=True)
class Pair:
    first: int
    second: str


@dataclass(frozen=True)
class Single:
    only: int


async def one(db: Database, sql: str) -> Row[Any]:
    async with db.transaction() as connection:
        return (await connection.execute(text(sql))).one()


async def test_a_column_is_found_by_its_name_and_becomes_its_enum(db: Database) -> None:
    row = await one(db, "SELECT 'x' AS more, NULL AS resume_state, 'draft' AS state, 7 AS amount, 'k' AS key")
    found = record(Sample, row)
    assert found == Sample("k", 7, InvoiceState.DRAFT, None)
    assert found.state is InvoiceState.DRAFT
    blocked = await one(db, "SELECT 7 AS amount, 'k' AS key, 'blocked' AS state, 'claimed' AS resume_state")
    assert record(Sample, blocked).resume_state is InvoiceState.CLAIMED


async def test_what_is_given_takes_the_place_of_a_column(db: Database) -> None:
    row = await one(db, "SELECT 'k' AS key, 7 AS amount, 'nonsense' AS state")
    given = record(Sample, row, state=InvoiceState.PAID, resume_state=None)
    assert given == Sample("k", 7, InvoiceState.PAID)


async def test_a_missing_column_is_refused_though_the_field_has_a_default(db: Database) -> None:
    row = await one(db, "SELECT 'k' AS key, 'draft' AS state")
    with pytest.raises(MissingColumnError, match="Sample needs the columns amount, resume_state"):
        record(Sample, row)
    with pytest.raises(MissingColumnError, match="Pair needs the columns second"):
        reader(Pair, ["first"])


async def test_an_unknown_state_is_refused(db: Database) -> None:
    row = await one(db, "SELECT 'k' AS key, 7 AS amount, 'nonsense' AS state, NULL AS resume_state")
    with pytest.raises(ValueError, match="'nonsense' is not a valid InvoiceState"):
        record(Sample, row)


async def test_a_reader_makes_the_same_of_many_rows(db: Database) -> None:
    async with db.transaction() as connection:
        rows = await connection.execute(
            text("SELECT chr(64 + n) AS second, n AS first FROM generate_series(1, 3) AS n")
        )
        read = reader(Pair, rows.keys())
        assert [read(row) for row in rows] == [Pair(1, "A"), Pair(2, "B"), Pair(3, "C")]
    assert reader(Single, ["other", "only"])((1, 2)) == Single(2)
    state = ("draft", None, 7, "k")
    assert reader(Sample, ["state", "resume_state", "amount", "key"])(state) == Sample("k", 7, InvoiceState.DRAFT)
