"""The database roles of the processes, and granting them the privileges in `storage/schema/grants.sql`."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, text

from billing.errors import InputError

BILLING = "perdure_billing"
"""The billing worker's role."""
OPERATOR = "perdure_operator"
"""The command line's role."""
READER = "perdure_reader"
"""The role of processes and people that only read."""
ROLES = (BILLING, OPERATOR, READER)


def apply_grants(connection: Connection) -> bool:
    """Grant the roles exactly the privileges that they need. Returns False if the database has none of the roles.

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
            f"the database has the roles {', '.join(sorted(found))}, but not {', '.join(missing)}: "
            "create all three (CREATE ROLE), or none"
        )
    connection.exec_driver_sql(files("storage").joinpath("schema", "grants.sql").read_text())
    return True
