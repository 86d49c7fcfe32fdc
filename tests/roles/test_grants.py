"""Each database role can do what it needs and nothing else, according to the catalog and in practice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.postgres.roles import API, BILLING, INGEST, OPERATOR, READER, ROLES
from storage.postgres.upgrade import upgrade
from storage.schema.tables import METADATA
from tests.roles import matrix
from tests.support.databases import FreshDatabase
from tests.support.roles import as_role

ROLE_AND_TABLE = [(role, table) for role in ROLES for table in sorted({*METADATA.tables, "alembic_version"})]
DEED = {
    "SELECT": "SELECT {column} FROM {table} LIMIT 1",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = DEFAULT WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table} CASCADE",
    "REFERENCES": "ALTER TABLE {table} ADD CHECK (true)",
    "TRIGGER": "DROP TABLE {table} CASCADE",
}


@pytest.fixture(scope="module")
async def url(module_database: FreshDatabase) -> str:
    return await module_database(upgrade)


@pytest.fixture(scope="module")
async def owner(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def logins(url: str) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    opened = {role: await asyncpg.connect(as_role(url, role)) for role in ROLES}
    yield opened
    for connection in opened.values():
        await connection.close()


async def test_every_table_has_a_decision(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = "
                             "current_schema()::regnamespace")  # fmt: skip
    assert {row["relname"] for row in rows} == set(matrix.MATRIX)


@pytest.mark.parametrize(("role", "table"), ROLE_AND_TABLE)
async def test_the_catalogue_says(owner: asyncpg.Connection, role: str, table: str) -> None:
    columns = {
        row["attname"]: row
        for row in await owner.fetch(
            "SELECT attname, has_column_privilege($1, attrelid, attnum, 'SELECT') AS reads, "
            "has_column_privilege($1, attrelid, attnum, 'INSERT') AS adds, "
            "has_column_privilege($1, attrelid, attnum, 'UPDATE') AS changes "
            "FROM pg_attribute WHERE attrelid = $2::text::regclass AND attnum > 0 AND NOT attisdropped",
            role,
            table,
        )
    }
    verbs = matrix.allowed(role, table)
    assert {name for name, column in columns.items() if column["reads"]} == matrix.readable(role, table, set(columns))
    assert {name for name, column in columns.items() if column["adds"]} == matrix.addable(role, table, set(columns))
    changeable = {name for name, column in columns.items() if column["changes"]}
    assert changeable == matrix.changeable(role, table, set(columns))
    for verb in ("DELETE", "TRUNCATE", "TRIGGER"):
        assert await owner.fetchval("SELECT has_table_privilege($1, $2::text, $3)", role, table, verb) == (
            verb in verbs
        ), verb


@pytest.mark.parametrize(("role", "table"), ROLE_AND_TABLE)
async def test_what_it_may_not_is_refused(logins: dict[str, asyncpg.Connection], role: str, table: str) -> None:
    all_columns = {"version_num"} if table == "alembic_version" else {c.name for c in METADATA.tables[table].columns}
    readable = matrix.readable(role, table, all_columns)
    any_column = min(readable or all_columns)
    changeable = matrix.changeable(role, table, all_columns)
    for verb in set(matrix.VERBS) - matrix.allowed(role, table):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logins[role].execute(DEED[verb].format(table=table, column=any_column))
    for column in all_columns - readable:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logins[role].execute(DEED["SELECT"].format(table=table, column=column))
    for column in sorted(all_columns - changeable) if "UPDATE" in matrix.allowed(role, table) else ():
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logins[role].execute(f"UPDATE {table} SET {column} = DEFAULT WHERE false")
    for verb in matrix.allowed(role, table) - {"INSERT", "UPDATE"}:
        await logins[role].execute(DEED[verb].format(table=table, column=any_column))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE own (id int)",
        "CREATE SCHEMA own",
        "CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE claim DISABLE TRIGGER ALL",
        "ALTER TABLE claim DROP CONSTRAINT claim_never_twice",
        "SET session_replication_role = replica",
        "CREATE ROLE own",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE postgres",
        "CREATE EXTENSION pg_trgm",
    ],
)
async def test_it_changes_no_schema_and_leaves_no_database(
    logins: dict[str, asyncpg.Connection], role: str, statement: str
) -> None:
    with pytest.raises(
        (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError)
    ):
        await logins[role].execute(statement)


async def test_only_who_works_things_out_has_temporary_tables(logins: dict[str, asyncpg.Connection]) -> None:
    for role in (BILLING, OPERATOR, INGEST):
        await logins[role].execute("CREATE TEMPORARY TABLE own (id int); DROP TABLE own")
    for role in (READER, API):
        can = await logins[role].fetchval("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
        assert can == await logins[role].fetchval(
            "SELECT has_database_privilege('public', current_database(), 'TEMPORARY')"
        )


@pytest.mark.parametrize("role", ROLES)
async def test_only_who_stores_usage_locks_accounts(logins: dict[str, asyncpg.Connection], role: str) -> None:
    lock = "SELECT lock_accounts(ARRAY['acme', NULL])"
    if role in (OPERATOR, INGEST):
        await logins[role].execute(lock)
    else:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logins[role].execute(lock)


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_sources_worker_drops_signs(logins: dict[str, asyncpg.Connection], role: str) -> None:
    drop = "SELECT drop_earlier_signs(ARRAY['i'])"
    if role == INGEST:
        await logins[role].execute(drop)
    else:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await logins[role].execute(drop)


async def test_a_grant_that_is_not_written_down_is_taken_back(fresh_database: FreshDatabase) -> None:
    url = await fresh_database(upgrade)
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(f"GRANT DELETE ON invoice TO {READER}; GRANT UPDATE (amount) ON invoice_line TO {BILLING}")
        await upgrade(url)
        assert not await owner.fetchval(f"SELECT has_table_privilege('{READER}', 'invoice', 'DELETE')")
        assert not await owner.fetchval(f"SELECT has_column_privilege('{BILLING}', 'invoice_line', 'amount', 'UPDATE')")
    finally:
        await owner.close()


async def test_all_of_several_accounts_are_locked(
    logins: dict[str, asyncpg.Connection], owner: asyncpg.Connection
) -> None:
    await owner.execute("INSERT INTO account (attribution_id, currency) VALUES ('a', 'usd'), ('b', 'usd')")
    async with logins[INGEST].transaction():
        await logins[INGEST].execute("SELECT lock_accounts(ARRAY['b', 'a'])")
        for account in ("a", "b"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await owner.execute("SELECT FROM account WHERE attribution_id = $1 FOR UPDATE NOWAIT", account)
