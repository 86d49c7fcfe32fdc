"""The checks of an audit that need PostgreSQL alone.

Each is made on one snapshot, so that what is claimed, moved or imported meanwhile is seen whole or not at all. They
share no statement with what claims and explains: a mistake there must show here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import Check
from storage.audit import (
    conservation as audit_conservation,
)
from storage.audit import (
    invoices as audit_invoices,
)
from storage.audit import (
    lines as audit_lines,
)
from storage.audit import (
    never_twice as audit_never_twice,
)
from storage.audit import (
    stuck as audit_stuck,
)
from storage.audit.parameters import CheckInput, Figures
from storage.audit.runs import CheckRecord, clear_check, record_check
from storage.postgres.database import Database
from storage.postgres.statements import statement

_CHECKS: dict[Check, Callable[[AsyncConnection, CheckInput], Awaitable[Figures]]] = {
    Check.NEVER_TWICE: audit_never_twice.check,
    Check.CONSERVATION: audit_conservation.check,
    Check.CLAIMS_AND_LINES: audit_lines.check,
    Check.LINES_AND_INVOICES: audit_invoices.check,
    Check.NOTHING_STUCK: audit_stuck.check,
}


async def run_database_check(db: Database, given: CheckInput) -> CheckRecord:
    """Make one of `DATABASE_CHECKS`, and record it with its figures and findings in place of an earlier try's.

    Raises:
        DatabaseUnavailableError: call again.
    """
    identity = {"audit_id": given.audit_id, "check_name": str(given.check)}
    async with db.transaction(snapshot=True) as connection:
        await connection.execute(statement("audit/checks", "tune"))
        await clear_check(connection, given.audit_id, given.check)
        figures = await _CHECKS[given.check](connection, given)
        await record_check(connection, given.audit_id, given.check, figures)
        found = await connection.execute(statement("audit/checks", "discrepancies"), identity)
        return CheckRecord(given.check, figures, int(found.scalar_one()))
