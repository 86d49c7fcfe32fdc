"""The database roles of the processes, and how they are given what `storage/schema/grants.sql` says."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, text

from billing.errors import InputError

BILLING = "perdure_billing"
"""The billing worker's role."""
OPERATOR = "perdure_operator"
"""The command line's role."""
READER = "perdure_reader"
"""The role of whoever only reads."""
ROLES = (BILLING, OPERATOR, READER)


def apply_grants(connection: Connection) -> bool:
    """Give the roles exactly what they need, if there are any; False where there are none.

    Raises:
        InputError: some of the roles exist and some do not.
    """
    asked = connection.execute(
        text("SELECT rolname FROM pg_roles WHERE rolname = ANY (:roles)"), {"roles": list(ROLES)}
    )
    found = {row.rolname for row in asked}
    if not found:
        return False
    if missing := [role for role in ROLES if role not in found]:
        raise InputError(
            f"of the database's roles there are {', '.join(sorted(found))}, but not {', '.join(missing)}: "
            "create all three (CREATE ROLE), or none"
        )
    connection.exec_driver_sql(files("storage").joinpath("schema", "grants.sql").read_text())
    return True
