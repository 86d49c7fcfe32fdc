"""What Postgres says: what waits, usage that cannot be billed or is probably wrong, and how far things are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.audit.checks import AuditScope, Check
from billing.invoice.policy import ChargeOn
from billing.periods import BillingPeriod
from billing.text import plural
from billing.usage.warnings import UsageWarning, WarningKind
from contracts.messages.events import CURSOR
from settings import Settings
from starter.cli.database import answers
from starter.cli.warnings import gather
from starter.cli.warnings.words import WHAT_TO_DO
from storage.arrivals.arriving import usage_arrives
from storage.audit.conservation import INVALID
from storage.audit.runs import AuditRecord, load_audit, newest_audit
from storage.lookup.naming import stripe_ids_of
from storage.periods.periods import PeriodSummary, read_summary
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.recovery import event_cursor
from storage.recovery.event_cursor import StoredCursor
from storage.waiting.kinds import WaitingKind
from storage.waiting.unbillable import UnbillableUsage, unbillable_usage
from storage.waiting.waiting import WaitingTerms, WaitingThing, WaitingTotal, read_waiting, read_waiting_totals

USAGE_SECONDS = 0.5
"""All usage is read for this long at most: for warnings, a million instances take seconds."""

_CONNECTIONS = 4
_UNREAD_RUNS = 4  # scheduled catch-ups that may be missed before Stripe's events count as unread
_OF_ACCOUNT = ("no_such_account", "malformed_attribution_id")
_COUNTED_AS_UNBILLABLE = (
    WarningKind.UNKNOWN_ACCOUNT,
    WarningKind.MALFORMED_ID,
    WarningKind.STARTS_BEFORE_CREATION,
)


@dataclass(frozen=True)
class Scope:
    """What to show: everything, or what belongs to a period, an account, or an account in a period."""

    period: str | None = None
    attribution_id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether everything is shown."""
        return self.period is None and self.attribution_id is None


@dataclass(frozen=True)
class StoredState:
    """What Postgres says.

    `usage_checked`: whether all usage could be read in time for what cannot be billed. If not, the newest audit's
    figures stand for it. `warnings_checked`: whether it could be searched for warnings in time.
    `has_sources`: whether usage arrives by itself, from sources or by the API. `stripe_ids`: of the invoices that
    wait, by their keys.
    """

    waiting: list[WaitingThing]
    totals: list[WaitingTotal]
    usage_checked: bool
    warnings_checked: bool
    cursor: StoredCursor | None
    audit: AuditRecord | None
    last_period: str
    settled: PeriodSummary | None
    has_sources: bool
    stripe_ids: Mapping[str, str]


async def stored_state(settings: Settings, scope: Scope, most: int) -> StoredState:
    """Ask Postgres, with at most `most` things of each kind.

    Raises:
        DatabaseUnavailableError: it cannot be reached within seconds, or lacks the tables.
        SettingsError: DATABASE_URL is not set.
    """
    db = Database(settings.need("database_url"), _CONNECTIONS)
    try:
        await answers(db)
        return await _ask(db, settings, scope, most)
    finally:
        await db.close()


async def _ask(db: Database, settings: Settings, scope: Scope, most: int) -> StoredState:
    now = datetime.now(UTC)
    last = BillingPeriod.last_ended(now, settings.zone)
    terms = waiting_terms(settings, now)
    only = {"period": scope.period, "attribution_id": scope.attribution_id}
    # Usage belongs to no scope: of a period or an account, its status and `explain` show it.
    usage_read = asyncio.create_task(_usage_in_time(settings, now) if scope.whole else _no_usage())
    waiting = await read_waiting(db, terms, **only, most=most)
    totals = await read_waiting_totals(db, terms, **only)
    audit_id = await newest_audit(db, AuditScope())
    audit = await load_audit(db, audit_id) if audit_id else None
    found, doubts = await usage_read
    usage = [_unbillable(each) for each in found] if found is not None else list(_of_audit(audit))
    usage += [_warning(each, now) for each in doubts or [] if each.kind not in _COUNTED_AS_UNBILLABLE]
    return StoredState(
        waiting=[*waiting, *usage],
        totals=[*totals, *map(_total, usage)],
        usage_checked=found is not None,
        warnings_checked=doubts is not None,
        cursor=await event_cursor.load(db, CURSOR),
        audit=audit,
        last_period=str(last),
        settled=await read_summary(db, str(last)),
        has_sources=await usage_arrives(db),
        stripe_ids=await stripe_ids_of(db, {each.invoice_key for each in waiting if each.invoice_key}),
    )


def waiting_terms(settings: Settings, now: datetime) -> WaitingTerms:
    """Return the terms by which something waits in this deployment."""
    last = BillingPeriod.last_ended(now, settings.zone)
    return WaitingTerms(
        now=now,
        stuck_after=settings.stuck_after,
        unread_after=_UNREAD_RUNS * timedelta(minutes=settings.events_catch_up_minutes),
        last_period=str(last),
        last_start=last.start(settings.zone),
        last_end=last.end(settings.zone),
        charge_on=ChargeOn(settings.charge_on),
    )


async def _usage_in_time(
    settings: Settings, now: datetime
) -> tuple[list[UnbillableUsage] | None, list[UsageWarning] | None]:
    """Return usage that cannot be billed, and the warnings of all usage; None for what takes too long.

    The server ends what takes too long itself: otherwise it would go on after nobody waits for it.
    """
    within = timedelta(seconds=USAGE_SECONDS)
    db = Database(settings.need("database_url"), 1, within)
    unbillable = warnings = None
    try:
        async with asyncio.timeout(USAGE_SECONDS):
            unbillable = await unbillable_usage(db, now)
            warnings = await gather.of_everything(db, settings)
    except (TimeoutError, DatabaseUnavailableError):
        pass
    finally:
        await db.close()
    return unbillable, warnings


async def _no_usage() -> tuple[list[UnbillableUsage], list[UsageWarning]]:
    return [], []


def _of_audit(audit: AuditRecord | None) -> Iterator[WaitingThing]:
    """Yield the usage that the newest audit of everything found that cannot be billed."""
    figures = next((each.figures for each in audit.checks if each.check is Check.CONSERVATION), {}) if audit else {}
    for reason in INVALID:
        spent = figures.get(f"{reason}_us", 0)
        if audit and isinstance(spent, int) and spent:
            why = f"it cannot be billed, {reason.replace('_', ' ')}, said the last audit"
            yield _usage(reason, audit.started_at, why, duration_us=spent)


def _unbillable(usage: UnbillableUsage) -> WaitingThing:
    of_account = usage.reason in _OF_ACCOUNT
    example = usage.attribution_id if of_account and usage.attribution_id else usage.instance_id
    why = usage.reason.replace("_", " ")
    reason = f"{plural(usage.instances, 'instance')} cannot be billed, {why}, such as {example}"
    return _usage(
        usage.reason, usage.since, reason, duration_us=usage.duration_us, things=usage.instances,
        attribution_id=usage.attribution_id, instance_id=usage.instance_id,
    )  # fmt: skip


def _warning(warning: UsageWarning, now: datetime) -> WaitingThing:
    first = warning.examples[0]
    reason = f"{first.subject}: {first.detail} ({WHAT_TO_DO[warning.kind]})"
    return _usage(str(warning.kind), now, reason, kind=WaitingKind.USAGE_WARNING, things=warning.count)


def _usage(
    subject: str,
    since: datetime,
    reason: str,
    *,
    kind: WaitingKind = WaitingKind.USAGE_UNBILLABLE,
    duration_us: int | None = None,
    things: int = 1,
    attribution_id: str | None = None,
    instance_id: str | None = None,
) -> WaitingThing:
    return WaitingThing(kind, subject, attribution_id, None, None, instance_id, since, reason, {}, things, duration_us)


def _total(thing: WaitingThing) -> WaitingTotal:
    return WaitingTotal(thing.kind, thing.things, thing.since, thing.amounts)
