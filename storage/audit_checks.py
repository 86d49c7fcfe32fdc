"""Stands in for the checks of PostgreSQL alone until they are merged."""

# ruff: noqa: ARG001
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from billing.audit import AuditScope, Check
from billing.errors import PermanentError
from billing.rating import RateCard
from storage.audits import CheckRecord
from storage.database import Database


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
    heartbeat: Callable[[], None] | None,
) -> CheckRecord:
    """Not built yet."""
    raise PermanentError("this check is not built yet")
