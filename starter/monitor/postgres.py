"""The gauges that come from Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from billing.money import exponent
from billing.periods import BillingPeriod
from starter.monitor import gauges
from starter.monitor.gauges import LabelValues, Samples, at
from storage.monitor.figures import (
    AuditFigures,
    DeploymentFigures,
    InvoiceFigures,
    SourceFigures,
    WorkerFigures,
    read_figures,
)
from storage.postgres.database import Database
from storage.waiting.kinds import ELSEWHERE, RESOLUTIONS
from storage.waiting.waiting import WaitingTerms, WaitingTotal, read_waiting_totals

WITHIN = timedelta(seconds=5)
_MOST_PERIODS = 12
_OLDER = "older"
_RATE_CARD = "RATE_CARD"


@dataclass(frozen=True)
class OwnSettings:
    """What this process would bill with: workers should have the same.

    `money` are the settings that concern money, by name; what a worker or this process lacks is not compared.
    `rate_card_digest` is None if this process has no card.
    """

    money: Mapping[str, str]
    rate_card_digest: str | None
    zone: tzinfo


async def read(db: Database, own: Callable[[], OwnSettings], terms: Callable[[datetime], WaitingTerms]) -> Samples:
    """Return the values of the gauges.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or takes too long.
    """
    now = datetime.now(UTC)
    return {
        **samples(await read_figures(db, WITHIN), own(), now),
        **waiting(await read_waiting_totals(db, terms(now))),
    }


def waiting(found: Sequence[WaitingTotal]) -> Samples:
    """Return what waits as values of gauges. Kinds of which nothing waits are 0."""
    things = {total.kind: total.things for total in found}
    return {
        gauges.WAITING: [
            ((str(kind), "yes" if resolution.person else "no"), float(things.get(kind, 0)))
            for kind, resolution in RESOLUTIONS.items()
            if kind not in ELSEWHERE
        ],
        gauges.WAITING_SINCE: [((str(total.kind),), at(total.since)) for total in found],
        gauges.WAITING_AMOUNT: [
            ((str(total.kind), currency), float(_major(amount, currency)))
            for total in found
            for currency, amount in total.amounts.items()
        ],
    }


def _major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-exponent(currency))


def samples(found: DeploymentFigures, own: OwnSettings, now: datetime) -> Samples:
    """Return the figures as values of gauges."""
    invoices = _bounded(found.invoices)
    return {
        gauges.INVOICES: [(labels, float(count)) for labels, (count, _) in invoices.items()],
        gauges.INVOICES_AMOUNT: [(labels, float(amount)) for labels, (_, amount) in invoices.items()],
        gauges.PERIOD_HELD: [((period,), 1.0) for period in found.held],
        gauges.LAST_SETTLED: [((), at(instant)) for instant in sorted(found.settled.values())[-1:]],
        **_periods(found, own.zone, now),
        **_sources(found.sources),
        gauges.PENDING_FACTS: [((), float(found.arrivals.waiting))],
        gauges.PENDING_SINCE: _once(found.arrivals.since),
        gauges.STRIPE_LAST_EVENT: _once(found.events.last_event),
        gauges.STRIPE_EVENTS_READ: _once(found.events.read_at),
        gauges.STRIPE_UNDELIVERED: [((), float(found.events.undelivered))] if found.events.read_at else [],
        gauges.STRIPE_UNDELIVERED_AT: _once(found.events.undelivered_at),
        gauges.STRIPE_DELIVERED_AT: _once(found.events.delivered_at),
        **(_audit(found.audit) if found.audit else {}),
        gauges.SETTINGS_DIFFER: [(difference, 1.0) for worker in found.workers for difference in _differ(worker, own)],
    }


def _once(instant: datetime | None) -> list[tuple[LabelValues, float]]:
    return [] if instant is None else [((), at(instant))]


def _bounded(found: list[InvoiceFigures]) -> dict[LabelValues, tuple[int, Decimal]]:
    """Return number and amount of invoices by labels. Beyond a year of periods, the oldest are one."""
    shown = sorted({each.period for each in found}, reverse=True)[:_MOST_PERIODS]
    result: dict[LabelValues, tuple[int, Decimal]] = {}
    for each in found:
        labels = (each.period if each.period in shown else _OLDER, str(each.state), each.currency)
        count, amount = result.get(labels, (0, Decimal()))
        result[labels] = count + each.invoices, amount + _major(each.amount, each.currency)
    return result


def _periods(found: DeploymentFigures, zone: tzinfo, now: datetime) -> Samples:
    """Return the ends of periods that should be settled, and when they were.

    These are periods with invoices or a hold, and the last that has ended, once anything was billed.
    """
    last = BillingPeriod.last_ended(now, zone)
    known = {BillingPeriod.parse(name) for name in (*(each.period for each in found.invoices), *found.held)}
    if known or found.settled:
        known.add(last)
    ended = sorted(period for period in known if period <= last)[-_MOST_PERIODS:]
    settled = {str(period): found.settled.get(str(period)) for period in ended}
    return {
        gauges.PERIOD_END: [((str(period),), at(period.end(zone))) for period in ended],
        gauges.PERIOD_SETTLED: [((name,), at(instant) if instant else 0.0) for name, instant in settled.items()],
    }


def _sources(found: list[SourceFigures]) -> Samples:
    return {
        gauges.SOURCE_COMPLETE: [((each.name,), at(each.complete_up_to)) for each in found if each.complete_up_to],
        gauges.SOURCE_READ: [((each.name,), at(each.read_at)) for each in found if each.read_at],
        gauges.SOURCE_FAILING: [((each.name,), at(each.failing_since)) for each in found if each.failing_since],
        gauges.SOURCE_REFUSED: [((each.name,), float(each.refused)) for each in found],
    }


def _audit(found: AuditFigures) -> Samples:
    return {
        gauges.AUDIT_FINISHED: [((), at(found.finished_at))],
        gauges.AUDIT_FINDINGS: [((check,), float(count)) for check, count in found.findings.items()],
        gauges.USAGE: [((fate,), us / 1_000_000) for fate, us in found.usage_us.items()],
    }


def _differ(worker: WorkerFigures, own: OwnSettings) -> Iterator[LabelValues]:
    if own.rate_card_digest not in (None, worker.rate_card_digest):
        yield worker.queue, _RATE_CARD
    for name in sorted(own.money.keys() & worker.settings.keys()):
        if own.money[name] != worker.settings[name]:
            yield worker.queue, name
