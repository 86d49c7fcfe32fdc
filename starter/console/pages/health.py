"""How the things are that bring usage and events in, and that check what was billed: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.audit.checks import AuditScope, Check
from billing.text import plural
from contracts.messages.events import CURSOR
from storage.arrivals.sources import SourceState, list_sources
from storage.audit.runs import AuditRecord, load_audit, newest_audit
from storage.postgres.database import Database
from storage.recovery.event_cursor import StoredCursor
from storage.recovery.event_cursor import load as load_cursor


@dataclass(frozen=True)
class HealthLine:
    """How one thing is. `word`: its state; `at`: as of when; `to`: the page that shows more."""

    label: str
    to: str
    word: str
    text: str
    at: datetime | None


async def health(db: Database, now: datetime, unread_before: datetime) -> list[HealthLine]:
    """Return a line for the audit, Stripe's events, their deliveries, and the sources.

    Args:
        db: the database.
        now: an instant in UTC.
        unread_before: Stripe's events are late if they were last read before this.
    """
    audit_id = await newest_audit(db, AuditScope())
    audit = await load_audit(db, audit_id) if audit_id else None
    cursor = await load_cursor(db, CURSOR)
    sources = await list_sources(db)
    lines = [_audit(audit), _events(cursor, unread_before), *_webhook(cursor), _sources(sources, now)]
    return [line for line in lines if line is not None]


def _audit(audit: AuditRecord | None) -> HealthLine:
    if audit is None:
        return HealthLine("Audit", "/audit", "not made", "There was no audit of everything yet.", None)
    missing = len(set(Check) - {each.check for each in audit.checks})
    findings = sum(each.discrepancies for each in audit.checks)
    if findings:
        text = f"It found {plural(findings, 'discrepancy', 'discrepancies')}."
        return HealthLine("Audit", "/audit", "findings", text, audit.finished_at)
    if missing:
        return HealthLine("Audit", "/audit", "not made", f"{plural(missing, 'check')} not made.", audit.finished_at)
    return HealthLine("Audit", "/audit", "agreed", "Postgres, the reports and Stripe agree.", audit.finished_at)


def _events(cursor: StoredCursor | None, unread_before: datetime) -> HealthLine:
    label, to = "Stripe's events", "/webhook"
    if cursor is None:
        return HealthLine(label, to, "not made", "They were never read.", None)
    if cursor.updated_at < unread_before:
        return HealthLine(label, to, "late", "They have not been read for long.", cursor.updated_at)
    return HealthLine(label, to, "good", "Read.", cursor.updated_at)


def _webhook(cursor: StoredCursor | None) -> Sequence[HealthLine]:
    if cursor is None or (cursor.delivered_at is None and cursor.undelivered_at is None):
        return ()
    if cursor.is_silent:
        text = "Stripe could not deliver its newest event to some endpoint; the catch-up reads them."
        return (HealthLine("Webhook", "/webhook", "late", text, cursor.undelivered_at),)
    return (HealthLine("Webhook", "/webhook", "good", "Stripe delivers its events.", cursor.delivered_at),)


def _sources(sources: Sequence[SourceState], now: datetime) -> HealthLine | None:
    """Return how the sources are: the worst one counts. None if there are none."""
    if not sources:
        return None
    failing = [each for each in sources if each.failing_since is not None]
    late = [each for each in sources if each.is_stale(now)]
    if failing:
        first = min(failing, key=lambda each: each.failing_since or now)
        text = f"{plural(len(failing), 'source')} cannot be read: {', '.join(each.name for each in failing[:3])}."
        return HealthLine("Sources", "/sources", "failed", text, first.failing_since)
    if late:
        text = f"{plural(len(late), 'source')} behind: {', '.join(each.name for each in late[:3])}."
        return HealthLine("Sources", "/sources", "late", text, min(each.read_at or now for each in late))
    known = [each.complete_up_to for each in sources if each.complete_up_to is not None]
    return HealthLine(
        "Sources", "/sources", "good", f"{plural(len(sources), 'source')} read.", min(known, default=None)
    )
