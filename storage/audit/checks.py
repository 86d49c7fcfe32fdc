"""The checks of an audit that need PostgreSQL alone.

Each check runs on one snapshot, so that it sees a concurrent claim, transition or import completely or not at all. The
checks share no statement with claiming and explaining: a mistake there must show up here.
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
    """Run one of `DATABASE_CHECKS` and record its figures and findings, replacing those of an earlier attempt.

    Raises:
        DatabaseUnavailableError: transient: call again.
    """
    identity = {"audit_id": given.audit_id, "check_name": str(given.check)}
    async with db.transaction(snapshot=True) as connection:
        await connection.execute(statement("audit/checks", "tune"))
        await clear_check(connection, given.audit_id, given.check)
        figures = await _CHECKS[given.check](connection, given)
        await record_check(connection, given.audit_id, given.check, figures)
        found = await connection.execute(statement("audit/checks", "discrepancies"), identity)
        return CheckRecord(given.check, figures, int(found.scalar_one()))
