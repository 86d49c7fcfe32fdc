"""The processes' database roles on the test server, and URLs that log in as them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]

from storage.postgres.roles import ROLES

PASSWORD = "for-tests-only"


async def create_roles(url: str) -> None:
    """Create the missing roles, with a login. They belong to the server, so they stay."""
    connection = await asyncpg.connect(url)
    try:
        for role in ROLES:
            try:
                await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
            except (
                asyncpg.DuplicateObjectError,
                asyncpg.UniqueViolationError,
            ):  # the latter: a race
                await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    finally:
        await connection.close()


def as_role(url: str, role: str) -> str:
    """Return the URL of the same database with a login as the role."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(PASSWORD)}@{place}"))
