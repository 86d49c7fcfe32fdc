"""No instant of an instance is in two live claims, and the constraint that refuses it stands."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit.parameters import AuditInput, Figures, count
from storage.postgres.statements import statement

_TOPIC = "audit/never_twice"


async def check(connection: AsyncConnection, given: AuditInput) -> Figures:
    """The constraint is looked up in the catalog, and what it promises is looked for in the claims all the same."""
    parameters = given.parameters
    for kind in ("constraint_missing", "overlap", "billed_twice"):
        await connection.execute(statement(_TOPIC, kind), parameters)
    return {
        "claims": await count(connection, _TOPIC, "claims", parameters),
        "released": await count(connection, _TOPIC, "released", parameters),
    }
