"""No instant of an instance is in two live claims, and the constraint that refuses it stands."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.parameters import CheckInput, Figures, count
from storage.postgres.statements import statement


async def check(connection: AsyncConnection, given: CheckInput) -> Figures:
    """The constraint is looked up in the catalog, and what it promises is looked for in the claims all the same."""
    parameters = given.parameters
    for kind in ("constraint_missing", "overlap", "billed_twice"):
        await connection.execute(statement("audit/never_twice", kind), parameters)
    return {
        "claims": await count(connection, statement("audit/never_twice", "claims"), parameters),
        "released": await count(connection, statement("audit/never_twice", "released"), parameters),
    }
