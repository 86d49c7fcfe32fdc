"""The words of `perdure status`: ages, amounts, and the state of workers, events, audit, periods and schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.audit.checks import Check
from billing.money import format_amount
from billing.text import plural
from contracts import workflow_ids
from starter.cli import output
from starter.cli.status.overview import POSTGRES, TEMPORAL, Overview
from starter.cli.status.running import RunningState, queues_without_worker
from starter.cli.status.stored import USAGE_SECONDS, StoredState
from starter.cli.steps.queues import tasks, workers
from storage.audit.runs import AuditRecord
from storage.recovery.event_cursor import STRIPE_RETRIES, StoredCursor
from storage.waiting.kinds import WaitingKind
from temporal.pollers import QueueState
from temporal.schedules import ScheduleState

GOOD, NOTE, BAD, NONE = "✓", "!", "✗", "-"

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SCHEDULES = {
    workflow_ids.MONTHLY_SCHEDULE: "monthly run",
    workflow_ids.CATCH_UP_SCHEDULE: "catch-up",
    workflow_ids.AUDIT_SCHEDULE: "audit",
}
_SERVICES = {POSTGRES: "PostgreSQL", TEMPORAL: "Temporal"}


@dataclass(frozen=True)
class StateLine:
    """How one thing is: good, worth a note, bad, or not in use."""

    mark: str
    label: str
    text: str


def age(since: datetime, now: datetime) -> str:
    """Return a time that has passed, or will, in its largest unit: `3 d`, `18 min`."""
    seconds = int(abs((now - since).total_seconds()))
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds // size:,} {unit}"


def money(amounts: Mapping[str, int]) -> str:
    """Return amounts in minor units by currency: `3.00 EUR, 11.70 USD`."""
    return ", ".join(format_amount(amount, currency) for currency, amount in sorted(amounts.items()))


def state_lines(found: Overview) -> list[StateLine]:
    """Return the state of services, workers, Stripe's events, the audit, the last period and the schedules."""
    lines = [StateLine(BAD, _SERVICES[name], why) for name, why in found.away.items()]
    if found.running:
        lines += _workers(found)
    if found.stored:
        lines += _stored(found.stored, found.at)
    if found.running:
        lines += [_schedules(found.running.schedules, found.at), *_unchecked_steps(found.running)]
    return lines


def _workers(found: Overview) -> Iterator[StateLine]:
    assert found.running is not None
    has_sources = found.stored is not None and found.stored.has_sources
    needed = {each.subject for each in queues_without_worker(found.running.queues, has_sources=has_sources)}
    for state in found.running.queues:
        yield _worker(state, found.at, needed=state.queue in needed)


def _worker(state: QueueState, now: datetime, *, needed: bool) -> StateLine:
    label = f"worker {state.queue}"
    if state.polling:
        since = f", for {age(state.since, now)}" if state.since else ""
        return StateLine(GOOD, label, f"{workers(state)}{since}{tasks(state)}")
    if not needed:
        return StateLine(NONE, label, f"{workers(state)}, and none is needed: no sources, no API tokens")
    seen = f", the last {age(state.seen_at, now)} ago" if state.seen_at else ""
    return StateLine(BAD, label, f"{workers(state)}{seen}{tasks(state)}")


def _stored(stored: StoredState, now: datetime) -> Iterator[StateLine]:
    yield _events(stored, now)
    if stored.cursor is not None:
        yield _webhook(stored.cursor, now)
    yield _audit(stored.audit, now)
    settled = stored.settled
    if settled is not None:
        yield StateLine(GOOD, f"period {stored.last_period}", f"settled {age(settled.settled_at, now)} ago")
    else:
        yield StateLine(NONE, f"period {stored.last_period}", "not settled")
    if not stored.usage_checked:
        known = f"as the audit found it {age(stored.audit.started_at, now)} ago" if stored.audit else "not counted"
        yield StateLine(NOTE, "unbillable usage", f"{known}; reading it takes more than {USAGE_SECONDS} s")
    if not stored.warnings_checked:
        yield StateLine(NOTE, "warnings", f"not found within {USAGE_SECONDS} s: `perdure warnings list`")


def _events(stored: StoredState, now: datetime) -> StateLine:
    cursor = stored.cursor
    if cursor is None:
        return StateLine(NOTE, "Stripe's events", "never read: `perdure stripe catch-up` reads them")
    unread = any(each.kind is WaitingKind.EVENTS_UNREAD for each in stored.waiting)
    last = f"the last {age(cursor.event_created, now)} ago" if cursor.event_id else "none so far"
    text = f"{last}, read {age(cursor.updated_at, now)} ago"
    return StateLine(BAD if unread else GOOD, "Stripe's events", text)


def _webhook(cursor: StoredCursor, now: datetime) -> StateLine:
    """Say what Stripe said of its deliveries: nothing else knows what did not arrive."""
    missed = ""
    if cursor.undelivered_at is not None:
        missed = f"some endpoint had not received an event of {age(cursor.undelivered_at, now)} ago"
    if cursor.is_silent and cursor.undelivered_at is not None and now - cursor.undelivered_at < STRIPE_RETRIES:
        return StateLine(BAD, "webhook", missed)
    if cursor.delivered_at is None:
        return StateLine(NONE, "webhook", "no event to deliver so far")
    text = f"the last event delivered is {age(cursor.delivered_at, now)} old"
    return StateLine(GOOD, "webhook", f"{text}; {missed}" if missed else text)


def _audit(audit: AuditRecord | None, now: datetime) -> StateLine:
    if audit is None or audit.finished_at is None:
        return StateLine(NOTE, "audit", "no audit of everything yet: `perdure audit`")
    total = sum(record.discrepancies for record in audit.checks)
    when = f"{age(audit.finished_at, now)} ago"
    if {record.check for record in audit.checks} != set(Check):
        return StateLine(BAD, "audit", f"not every check was made, {when}")
    if total:
        return StateLine(BAD, "audit", f"{plural(total, 'discrepancy', 'discrepancies')}, {when}")
    return StateLine(GOOD, "audit", f"everything agreed {when}")


def _schedules(schedules: list[ScheduleState], now: datetime) -> StateLine:
    if not schedules:
        return StateLine(NOTE, "schedules", "none yet (`perdure schedule set`)")
    words = ", ".join(f"{_SCHEDULES.get(each.id, each.id)} {_next(each, now)}" for each in schedules)
    whole = len(schedules) == len(_SCHEDULES) and not any(each.paused for each in schedules)
    return StateLine(GOOD if whole else BAD, "schedules", words)


def _next(state: ScheduleState, now: datetime) -> str:
    if state.paused:
        return "paused"
    return f"in {age(state.next_runs[0], now)}" if state.next_runs else "never"


def _unchecked_steps(running: RunningState) -> Iterator[StateLine]:
    if not running.steps_checked:
        yield StateLine(NOTE, "steps", "not checked in time: the Temporal UI shows pending activities")


def title(found: Overview) -> str:
    """Return the first line: when, in which mode, of what."""
    of = " ".join(filter(None, (found.scope.period, found.scope.attribution_id)))
    mode = f"{found.mode} mode" if found.mode else ""
    return ", ".join(filter(None, (output.when(found.at), mode, of)))
