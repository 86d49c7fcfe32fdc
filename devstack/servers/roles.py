"""The database roles of the product's processes in the embedded PostgreSQL, as production has them.

`perdure db upgrade` grants their rights.
"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg  # type: ignore[import-untyped]

ROLES: Mapping[str, str] = {
    "billing": "perdure_billing",
    "sources": "perdure_ingest",
    "api": "perdure_api",
    "monitor": "perdure_reader",
    "console": "perdure_console",
}
"""The role of each child that has one. Commands in other shells connect as the owner, who can migrate, too."""


async def create_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Create the roles that are missing, and set their passwords by role."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for role, password in passwords.items():
            known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
            verb = "ALTER" if known else "CREATE"
            given = (f"{verb} ROLE %I LOGIN PASSWORD %L", role, password)
            await connection.execute(await connection.fetchval("SELECT format($1, $2::text, $3::text)", *given))
    finally:
        await connection.close()
