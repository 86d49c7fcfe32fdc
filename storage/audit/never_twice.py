"""Check that no instant of an instance is in two live claims, and that the constraint against it is in force."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.parameters import CheckInput, Figures, count
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """Find the constraint in the catalog, and search the claims regardless for what it should have refused."""
    parameters = given.parameters
    for kind in ("constraint_missing", "overlap", "billed_twice"):
        await connection.execute(statement("audit/never_twice", kind), parameters)
    return {
        "claims": await count(connection, statement("audit/never_twice", "claims"), parameters),
        "released": await count(connection, statement("audit/never_twice", "released"), parameters),
    }
