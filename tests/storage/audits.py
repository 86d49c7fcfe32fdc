"""Running a check of the audit and reading what it found."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from billing.audit import REMEDIES, AuditScope, Check
from billing.rating import RateCard
from storage.audit_checks import run_database_check
from storage.audits import CheckRecord, Finding, audit_findings, begin_audit
from storage.database import Database
from tests.storage.usage import card, may

_NUMBERS = itertools.count(1)
STUCK_AFTER = timedelta(days=3)


async def audit(
    db: Database,
    check: Check,
    *,
    period: str | None = None,
    attribution_id: str | None = None,
    now: datetime | None = None,
    rate_card: RateCard | None = None,
    bill_after: datetime | None = None,
    **more: Any,
) -> tuple[CheckRecord, list[Finding]]:
    """One check, made twice: the second try forgets what the first found."""
    audit_id = f"audit-{next(_NUMBERS)}"
    scope = AuditScope(period, attribution_id)
    await begin_audit(db, audit_id, scope, STUCK_AFTER)
    for _ in range(2):
        record = await run_database_check(
            db,
            audit_id,
            check,
            scope,
            stuck_after=STUCK_AFTER,
            bill_after=bill_after,
            rate_card=rate_card or card(),
            now=now or may(40),
            heartbeat=None,
            **more,
        )
    findings = [finding async for _, finding in audit_findings(db, audit_id)]
    assert record.discrepancies == len(findings)
    assert {finding.kind for finding in findings} <= set(REMEDIES)
    return record, findings


def told(findings: list[Finding]) -> list[tuple[str, str | None, str | None]]:
    """Kind, instance and invoice of each."""
    return sorted((each.kind, each.instance_id or "", each.invoice_key or "") for each in findings)
