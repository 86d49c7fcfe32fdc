"""The database roles of the processes, and granting them the privileges in `storage/schema/grants.sql`."""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Connection, text

BILLING = "perdure_billing"
"""The billing worker's role."""
OPERATOR = "perdure_operator"
"""The command line's role."""
READER = "perdure_reader"
"""The role of processes and people that only read."""
INGEST = "perdure_ingest"
"""The role of the sources' worker."""
API = "perdure_api"
"""The role of the API."""
CONSOLE = "perdure_console"
"""The role of the console: it reads what readers do, and whose a token is."""
ROLES = (BILLING, OPERATOR, READER, INGEST, API, CONSOLE)


def apply_grants(connection: Connection) -> None:
    """Grant each role that exists exactly the privileges that it needs."""
    if missing_roles(connection) != list(ROLES):
        connection.exec_driver_sql(files("storage").joinpath("schema", "grants.sql").read_text())


def missing_roles(connection: Connection) -> list[str]:
    """Return the roles that the database's server does not have."""
    asked = connection.execute(
        text("SELECT rolname FROM pg_roles WHERE rolname = ANY (:roles)"), {"roles": list(ROLES)}
    )
    found = {row.rolname for row in asked}
    return [role for role in ROLES if role not in found]
