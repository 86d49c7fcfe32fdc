"""Database errors are passed on without people's data, and a URL's password is never shown."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.errors import InputError
from storage.postgres.database import Database

WHO = "".join(("can", "ary"))  # so that the source lines of a traceback do not show it


@pytest.mark.parametrize("password", ["4711/canary", "4711?canary", "4711#canary", "canary/4711", "can/ary", "[canary"])
def test_a_password_that_is_not_quoted_is_not_shown(password: str) -> None:
    with pytest.raises(InputError) as refused:
        Database(f"postgresql://perdure:{password}@127.0.0.1:5432/perdure")
    shown = "".join(traceback.format_exception(refused.value))
    for part in ("canary", "4711", "ary"):
        assert part not in shown
    assert "%2F" in str(refused.value)


def test_a_quoted_one_is_taken() -> None:
    assert Database("postgresql://perdure:a%2Fb%23c@127.0.0.1:5432/perdure").place == "127.0.0.1:5432/perdure"


async def test_neither_values_nor_rows_are_in_an_error(postgres_url: str) -> None:
    database = Database(postgres_url)
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE t (id int PRIMARY KEY, owner text CHECK (length(owner) < 5))"))

    async def add(owner: str) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1, CAST(:owner AS text))"), {"owner": owner})

    with pytest.raises(DBAPIError) as refused:
        await add(WHO)
    shown = "".join(traceback.format_exception(refused.value))
    assert "t_owner_check" in shown
    assert WHO not in shown
    assert getattr(refused.value.orig, "sqlstate", None) == "23514"
    await database.close()
