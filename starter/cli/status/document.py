"""`perdure status --json`; docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing.audit.checks import Check
from starter.cli import output
from starter.cli.status.overview import Overview
from starter.links import Link
from storage.audit.runs import AuditRecord
from storage.waiting.waiting import WaitingThing, WaitingTotal
from temporal.pollers import QueueState
from temporal.schedules import ScheduleState


def document(found: Overview) -> dict[str, Any]:
    """Return the JSON document. What could not be asked is null."""
    stored, running = found.stored, found.running
    cursor = stored.cursor if stored else None
    return {
        "at": output.json_instant(found.at),
        "mode": found.mode,
        "period": found.scope.period,
        "attribution_id": found.scope.attribution_id,
        "away": dict(found.away),
        "waiting": [
            {**thing_document(each), "links": _links(found.places.get((each.kind, each.subject), ()))}
            for each in found.waiting
        ],
        "totals": [_total(each) for each in found.totals],
        "usage_checked": stored.usage_checked if stored else None,
        "warnings_checked": stored.warnings_checked if stored else None,
        "steps_checked": running.steps_checked if running else None,
        "queues": [_queue(each) for each in running.queues] if running else None,
        "schedules": [_schedule(each) for each in running.schedules] if running else None,
        "stripe_events": {
            "last_event_at": output.json_instant(cursor.event_created) if cursor and cursor.event_id else None,
            "read_at": output.json_instant(cursor.updated_at) if cursor else None,
            "undelivered": cursor.undelivered if cursor else None,
            "undelivered_at": output.json_instant(cursor.undelivered_at) if cursor else None,
            "delivered_at": output.json_instant(cursor.delivered_at) if cursor else None,
        },
        "audit": _audit(stored.audit) if stored and stored.audit else None,
        "last_period": {
            "billing_period": stored.last_period,
            "settled_at": output.json_instant(stored.settled.settled_at) if stored.settled else None,
        }
        if stored
        else None,
        "links": _links(found.links),
    }


def _links(found: Sequence[Link]) -> dict[str, str]:
    return {link.name.lower().replace(" ", "_"): link.url for link in found}


def thing_document(each: WaitingThing) -> dict[str, Any]:
    """Return something that waits as JSON."""
    return {
        "kind": str(each.kind),
        "subject": each.subject,
        "things": each.things,
        "person": each.person,
        "attribution_id": each.attribution_id,
        "account_name": each.account_name,
        "billing_period": each.billing_period,
        "invoice_key": each.invoice_key,
        "instance_id": each.instance_id,
        "amounts": dict(each.amounts),
        "duration_us": each.duration_us,
        "since": output.json_instant(each.since),
        "reason": each.reason,
        "command": each.command or None,
        "page": f"docs/on-call/{each.page}.md",
    }


def _total(each: WaitingTotal) -> dict[str, Any]:
    return {
        "kind": str(each.kind),
        "things": each.things,
        "person": each.person,
        "since": output.json_instant(each.since),
        "amounts": dict(each.amounts),
    }


def _queue(state: QueueState) -> dict[str, Any]:
    return {
        "queue": state.queue,
        "polling": len(state.polling),
        "since": output.json_instant(state.since),
        "seen_at": output.json_instant(state.seen_at),
        "waiting_tasks": state.waiting_tasks,
    }


def _schedule(state: ScheduleState) -> dict[str, Any]:
    return {
        "id": state.id,
        "paused": state.paused,
        "next_at": output.json_instant(next(iter(state.next_runs), None)),
        "last_at": output.json_instant(state.recent_runs[-1][0]) if state.recent_runs else None,
    }


def _audit(audit: AuditRecord) -> dict[str, Any]:
    return {
        "audit_id": audit.id,
        "started_at": output.json_instant(audit.started_at),
        "finished_at": output.json_instant(audit.finished_at),
        "complete": {record.check for record in audit.checks} == set(Check),
        "discrepancies": sum(record.discrepancies for record in audit.checks),
    }
