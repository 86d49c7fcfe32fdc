"""The checks of an audit that need PostgreSQL alone.

Each is made on one snapshot, so that what is claimed, moved or imported meanwhile is seen whole or not at all. They
share no statement with what claims and explains: a mistake there must show here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import AuditScope, Check
from billing.invoice.policy import DEFAULT_POLICY, Policy
from billing.pricing.rating import RateCard
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
from storage.audit.parameters import AuditInput, Figures
from storage.audit.runs import CheckRecord, clear_check, record_check
from storage.postgres.database import Database
from storage.postgres.statements import statement

_CHECKS: dict[Check, Callable[[AsyncConnection, AuditInput], Awaitable[Figures]]] = {
    Check.NEVER_TWICE: audit_never_twice.check,
    Check.CONSERVATION: audit_conservation.check,
    Check.CLAIMS_AND_LINES: audit_lines.check,
    Check.LINES_AND_INVOICES: audit_invoices.check,
    Check.NOTHING_STUCK: audit_stuck.check,
}


async def run_database_check(
    db: Database,
    audit_id: str,
    check: Check,
    scope: AuditScope,
    *,
    stuck_after: timedelta,
    bill_after: datetime | None,
    rate_card: RateCard,
    now: datetime,
    zone: tzinfo = UTC,
    policy: Policy = DEFAULT_POLICY,
) -> CheckRecord:
    """Make one of `DATABASE_CHECKS` for an audit that was begun, and record it with its figures and findings.

    What an earlier try found is forgotten. `now` is until when running instances count, and what ages are measured
    by; `bill_after`, `zone` (of the billing periods) and `policy` are the deployment's.

    Raises:
        DatabaseUnavailableError: call again.
    """
    given = AuditInput(audit_id, check, scope, stuck_after, bill_after, rate_card, now, zone, policy)
    identity = {"audit_id": audit_id, "check_name": str(check)}
    async with db.transaction(snapshot=True) as connection:
        await connection.execute(statement("audit/checks", "tune"))
        await clear_check(connection, audit_id, check)
        figures = await _CHECKS[check](connection, given)
        await record_check(connection, audit_id, check, figures)
        found = await connection.execute(statement("audit/checks", "discrepancies"), identity)
        return CheckRecord(check, figures, int(found.scalar_one()))
