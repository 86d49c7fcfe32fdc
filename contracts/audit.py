"""Messages of the audit: ids and small totals; what is found is read from PostgreSQL."""

from datetime import timedelta

from contracts.message import Message


class AuditInput(Message):
    """Starts `AuditWorkflow`, by default over everything."""

    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None
    """From what age on what waits is stuck; none: as the billing worker is set."""


class AuditRef(Message):
    """One run of the audit, and what it is over."""

    audit_id: str
    period: str | None = None
    attribution_id: str | None = None
    stuck_after: timedelta | None = None


class CheckOutcome(Message):
    """A check that was made."""

    check: str
    figures: dict[str, int | str]
    discrepancies: int


class ChecksMade(Message):
    """Several."""

    checks: list[CheckOutcome]


class AuditOutcome(Message):
    """The result of `AuditWorkflow`."""

    audit_id: str
    checks: list[CheckOutcome]
    discrepancies: int
