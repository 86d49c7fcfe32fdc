"""Runs of the audit: what they checked and found. Findings are rows, so that their number has no limit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from billing.errors import PermanentError
from storage.postgres.database import Database
from storage.postgres.statements import statement

_KEPT_RUNS = 100
_PAGE = 1000


class UnknownAuditError(PermanentError):
    """Postgres does not know this audit."""


@dataclass(frozen=True)
class CheckRecord:
    """A completed check: its figures by name, and the number of its findings."""

    check: Check
    figures: Mapping[str, int | str]
    discrepancies: int


@dataclass(frozen=True)
class AuditRecord:
    """An audit and its checks, in order. `finished_at` is None while it runs, or if it was interrupted."""

    id: str
    scope: AuditScope
    stuck_after: timedelta
    started_at: datetime
    finished_at: datetime | None
    checks: tuple[CheckRecord, ...]


@dataclass(frozen=True)
class AuditBrief:
    """A run in a list: how many checks it has made, and how many discrepancies they have found."""

    id: str
    scope: AuditScope
    started_at: datetime
    finished_at: datetime | None
    checks: int
    discrepancies: int

    @property
    def word(self) -> str:
        """The result in a word: `running`, `agreed`, `findings`, or `not made` if a check is missing."""
        if self.discrepancies:
            return "findings"
        if self.finished_at is None:
            return "running"
        return "agreed" if self.checks == len(Check) else "not made"


async def begin_audit(db: Database, audit_id: str, scope: AuditScope, stuck_after: timedelta) -> None:
    """Open a run. Idempotent. Only the newest runs are kept."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("audit/runs", "begin"),
            {
                "id": audit_id,
                "period": scope.period,
                "attribution_id": scope.attribution_id,
                "stuck_after": stuck_after,
            },
        )
        await connection.execute(statement("audit/runs", "forget"), {"id": audit_id, "keep": _KEPT_RUNS})


async def clear_check(connection: AsyncConnection, audit_id: str, check: Check) -> None:
    """Delete the findings of an interrupted attempt at this check."""
    await connection.execute(statement("audit/runs", "clear_check"), {"audit_id": audit_id, "check_name": str(check)})


async def add_findings(connection: AsyncConnection, audit_id: str, check: Check, findings: Sequence[Finding]) -> None:
    """Add a page of findings."""
    if findings:
        rows = [{"audit_id": audit_id, "check_name": str(check), **asdict(finding)} for finding in findings]
        await connection.execute(statement("audit/runs", "add_finding"), rows)


async def require_audit(connection: AsyncConnection, audit_id: str) -> None:
    """Make sure that the run still exists: the tables can be emptied, or restored, while it runs.

    Raises:
        UnknownAuditError: the run does not exist.
    """
    if (await connection.execute(statement("audit/runs", "run"), {"id": audit_id})).one_or_none() is None:
        raise UnknownAuditError(f"audit {audit_id} is not in this database, which was emptied or restored")


async def record_check(
    connection: AsyncConnection, audit_id: str, check: Check, figures: Mapping[str, int | str]
) -> None:
    """Record a completed check with its figures and the number of its findings."""
    await connection.execute(
        statement("audit/runs", "record_check"),
        {"audit_id": audit_id, "check_name": str(check), "figures": json.dumps(dict(figures))},
    )


async def record_page(
    db: Database, audit_id: str, check: Check, after: str, through: str | None, findings: Sequence[Finding]
) -> None:
    """Record the findings on a page of invoices, `after` < key ≤ `through`, replacing those of an earlier attempt."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("audit/runs", "clear_page"),
            {"audit_id": audit_id, "check_name": str(check), "after": after, "through": through},
        )
        await add_findings(connection, audit_id, check, findings)


async def newest_audit(db: Database, scope: AuditScope) -> str | None:
    """Return the id of the newest finished run over exactly this scope. None if there is none."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("audit/runs", "newest"), {"period": scope.period, "attribution_id": scope.attribution_id}
        )
        newest: str | None = found.scalar_one_or_none()
        return newest


async def recent_audits(db: Database, limit: int) -> list[AuditBrief]:
    """Return the newest runs, of every scope, newest first."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("audit/runs", "recent"), {"limit": limit})
        return [
            AuditBrief(
                row.id,
                AuditScope(row.billing_period, row.attribution_id),
                row.started_at,
                row.finished_at,
                int(row.checks),
                int(row.discrepancies),
            )
            for row in rows
        ]


async def finish_audit(db: Database, audit_id: str) -> None:
    """Mark a run as finished."""
    async with db.transaction() as connection:
        await connection.execute(statement("audit/runs", "finish"), {"id": audit_id})


async def load_audit(db: Database, audit_id: str) -> AuditRecord | None:
    """Return a run and its checks. None if the run is unknown."""
    async with db.transaction(read_only=True) as connection:
        run = (await connection.execute(statement("audit/runs", "run"), {"id": audit_id})).one_or_none()
        if run is None:
            return None
        rows = (await connection.execute(statement("audit/runs", "checks"), {"audit_id": audit_id})).all()
    found = {row.name: CheckRecord(Check(row.name), row.figures, row.discrepancies) for row in rows}
    return AuditRecord(
        id=run.id,
        scope=AuditScope(run.billing_period, run.attribution_id),
        stuck_after=run.stuck_after,
        started_at=run.started_at,
        finished_at=run.finished_at,
        checks=tuple(found[check] for check in Check if check in found),
    )


async def audit_findings(db: Database, audit_id: str) -> AsyncIterator[tuple[Check, Finding]]:
    """Yield all findings of a run, reading them page by page."""
    after = 0
    while True:
        async with db.transaction(read_only=True) as connection:
            result = await connection.execute(
                statement("audit/runs", "findings"), {"audit_id": audit_id, "after": after, "limit": _PAGE}
            )
            rows = result.mappings().all()
        for row in rows:
            values: dict[str, Any] = dict(row)
            after = values.pop("id")
            yield Check(values.pop("check_name")), Finding(**values)
        if len(rows) < _PAGE:
            return
