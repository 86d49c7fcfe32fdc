"""What a deployment needs of PostgreSQL, as it is: version, extension, roles and their rights, clock."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib.resources import files

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import PerdureError
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.revision import require_known_revision
from storage.postgres.roles import CONSOLE, READER, ROLES
from storage.postgres.rows import record
from storage.postgres.statements import statement

OLDEST_SERVER = 140_000
"""The oldest version of PostgreSQL that has multiranges."""

_GRANT = re.compile(r"\('(\w+)', '(\w+)', '([^']*)'\)")
_PRIVILEGE = re.compile(r"(SELECT|INSERT|UPDATE|DELETE)(?:\s*\(([^)]*)\))?")


@dataclass(frozen=True)
class DatabaseServer:
    """The server, as this login sees it. `has_extension`: btree_gist."""

    version_num: int
    version: str
    login: str
    has_extension: bool
    has_tables: bool
    now: datetime


@dataclass(frozen=True)
class RoleBounds:
    """A role of Perdure. `unbounded`: it is a superuser or the owner of the tables, so that no grant binds it."""

    role: str
    unbounded: bool


@dataclass(frozen=True)
class RoleRight:
    """A right of a role on a table, or on one column of it; `column_name` is empty for the whole table."""

    role: str
    table_name: str
    verb: str
    column_name: str


@dataclass(frozen=True)
class CustomersLacking:
    """Numbers of accounts: known to lack an email or an address in Stripe, or with details not sent yet."""

    without_email: int
    without_address: int
    unsent: int


@dataclass(frozen=True)
class DatabaseInspected:
    """A database. `unknown_revision`: why its schema is not this code's, None if it is.

    `missing` and `excess`: rights of `grants.sql` that roles lack, and rights to change tables that they have beyond
    it; roles and tables that do not exist are passed over. `asked`: this process's Unix times before and after the
    server said its own.
    """

    server: DatabaseServer
    asked: tuple[float, float]
    unknown_revision: str | None = None
    roles: tuple[RoleBounds, ...] = ()
    missing: tuple[RoleRight, ...] = ()
    excess: tuple[RoleRight, ...] = ()


class DatabaseRefusedError(PerdureError):
    """PostgreSQL refuses a statement, for example because the login lacks a right."""


async def inspect_database(db: Database) -> DatabaseInspected:
    """Inspect the server, and the schema if the database has one. The login needs no right for it.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    async with db.transaction(read_only=True) as connection:
        before = time.time()
        row = (await connection.execute(statement("postgres/inspection", "server"))).one()
        inspected = DatabaseInspected(record(DatabaseServer, row), (before, time.time()))
        if not inspected.server.has_tables:
            return inspected
        roles = await connection.execute(statement("postgres/inspection", "roles"), {"roles": list(ROLES)})
        missing = await connection.execute(statement("postgres/inspection", "missing_rights"), _wanted())
        known = {"known": list(ROLES), **_wanted()}
        excess = await connection.execute(statement("postgres/inspection", "excess_rights"), known)
        return replace(
            inspected,
            unknown_revision=await _unknown_revision(connection),
            roles=tuple(record(RoleBounds, row) for row in roles),
            missing=tuple(record(RoleRight, row) for row in missing),
            excess=tuple(record(RoleRight, row) for row in excess),
        )


async def _unknown_revision(connection: AsyncConnection) -> str | None:
    try:
        await require_known_revision(connection)
    except DatabaseUnavailableError as error:
        return str(error)
    return None


async def inspect_customers(db: Database) -> CustomersLacking:
    """Return how many accounts lack what an invoice may need. The schema must be this code's.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    async with db.transaction(read_only=True) as connection:
        row = (await connection.execute(statement("postgres/inspection", "customers"))).one()
    return record(CustomersLacking, row)


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn what PostgreSQL refuses within the block into an error of ours.

    Raises:
        DatabaseRefusedError: with PostgreSQL's first line, which quotes no value.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise DatabaseRefusedError(f"PostgreSQL refuses: {str(error).splitlines()[0]}") from error


@cache
def wanted_rights() -> tuple[RoleRight, ...]:
    """Return what `storage/schema/grants.sql` grants, column by column where it names columns.

    As there, the console gets what readers get.
    """
    grants = files("storage").joinpath("schema", "grants.sql").read_text()
    return tuple(
        RoleRight(role, table, verb, column.strip())
        for granted, table, privileges in _GRANT.findall(grants)
        for role in ((READER, CONSOLE) if granted == READER else (granted,))
        for verb, columns in _PRIVILEGE.findall(privileges)
        for column in columns.split(",")
    )


def _wanted() -> dict[str, list[str]]:
    rights = wanted_rights()
    return {
        "roles": [right.role for right in rights],
        "tables": [right.table_name for right in rights],
        "verbs": [right.verb for right in rights],
        "columns": [right.column_name for right in rights],
    }
