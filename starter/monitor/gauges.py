"""The gauges that the process serves. docs/run/watching.md describes them; instants are Unix times in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

LabelValues = tuple[str, ...]
Samples = Mapping["Gauge", Iterable[tuple[LabelValues, float]]]
"""Values of gauges, each by the values of its labels."""


@dataclass(frozen=True)
class Gauge:
    """A gauge: its name, help, and the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def family(self, samples: Iterable[tuple[LabelValues, float]]) -> GaugeMetricFamily:
        """Return it with these values, as Prometheus' client writes it."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            family.add_metric(labels, value)
        return family


def at(instant: datetime) -> float:
    """Return the instant as Unix time."""
    return instant.timestamp()


UP = Gauge("perdure_metrics_up", "Whether the figures of this part are known: 1 or 0", ("part",))
READ = Gauge("perdure_metrics_read_timestamp_seconds", "When the figures of this part were read", ("part",))

WAITING = Gauge("perdure_waiting", "What waits, by kind, and whether a person must act: yes or no", ("kind", "person"))
WAITING_SINCE = Gauge(
    "perdure_waiting_since_timestamp_seconds",
    "Since when the oldest of a kind waits; only if something does",
    ("kind",),
)
WAITING_AMOUNT = Gauge("perdure_waiting_amount", "How much waits, in major units of the currency", ("kind", "currency"))

INVOICES = Gauge(
    "perdure_invoices",
    "Invoices by state: all of the two newest periods, the open ones of older periods",
    ("period", "state", "currency"),
)
INVOICES_AMOUNT = Gauge(
    "perdure_invoices_amount",
    "Sum of the same invoices, in major units of the currency",
    ("period", "state", "currency"),
)
PERIOD_END = Gauge("perdure_period_end_timestamp_seconds", "When a period ended that should be settled", ("period",))
PERIOD_SETTLED = Gauge(
    "perdure_period_settled_timestamp_seconds", "When that period was settled; 0 if it is not", ("period",)
)
PERIOD_HELD = Gauge("perdure_period_held", "Periods that are held: 1", ("period",))
LAST_SETTLED = Gauge("perdure_last_settled_timestamp_seconds", "When a period was settled last")

SOURCE_COMPLETE = Gauge(
    "perdure_source_complete_timestamp_seconds", "The instant up to which a source is complete", ("source",)
)
SOURCE_READ = Gauge("perdure_source_read_timestamp_seconds", "When a source was read last", ("source",))
SOURCE_FAILING = Gauge(
    "perdure_source_failing_timestamp_seconds", "Since when reading a source fails; only while it does", ("source",)
)
SOURCE_REFUSED = Gauge("perdure_source_refused_rows", "Refused rows of a source that nobody has corrected", ("source",))
PENDING_FACTS = Gauge("perdure_pending_facts", "Facts that the API has accepted and that are not stored yet")
PENDING_SINCE = Gauge(
    "perdure_pending_facts_timestamp_seconds", "Since when the oldest of them waits; only if there is one"
)

STRIPE_LAST_EVENT = Gauge(
    "perdure_stripe_last_event_timestamp_seconds", "When Stripe made the last event that the catch-up has read"
)
STRIPE_EVENTS_READ = Gauge(
    "perdure_stripe_events_read_timestamp_seconds", "When the catch-up read an event last that was new to it"
)
STRIPE_UNDELIVERED = Gauge(
    "perdure_stripe_undelivered_events",
    "Events that Stripe had not delivered to every webhook endpoint when the catch-up read them, in all",
)
STRIPE_UNDELIVERED_AT = Gauge(
    "perdure_stripe_undelivered_timestamp_seconds", "When Stripe made the newest of them; only if there is one"
)
STRIPE_DELIVERED_AT = Gauge(
    "perdure_stripe_delivered_timestamp_seconds", "When Stripe made the newest event that it had delivered"
)

AUDIT_FINISHED = Gauge("perdure_audit_finished_timestamp_seconds", "When the last audit of everything ended")
AUDIT_FINDINGS = Gauge("perdure_audit_findings", "Findings of the last audit of everything", ("check",))
USAGE = Gauge("perdure_usage_seconds", "Runtime of all usage by fate, as of the last audit of everything", ("fate",))

SETTINGS_DIFFER = Gauge(
    "perdure_settings_differ",
    "Settings that concern money and differ between a worker and this process: 1",
    ("queue", "setting"),
)

POLLERS = Gauge("perdure_pollers", "Workers that poll a task queue", ("queue",))
QUEUE_TASKS = Gauge("perdure_queue_tasks", "About how many tasks wait for a worker", ("queue",))
QUEUE_AGE = Gauge("perdure_queue_oldest_task_seconds", "For how long the oldest of them has waited", ("queue",))
SCHEDULE_SET = Gauge("perdure_schedule_set", "Whether a schedule exists: 1 or 0", ("schedule",))
SCHEDULE_PAUSED = Gauge("perdure_schedule_paused", "Whether a schedule is paused: 1 or 0", ("schedule",))
SCHEDULE_NEXT = Gauge("perdure_schedule_next_timestamp_seconds", "When a schedule runs next", ("schedule",))
SCHEDULE_LAST = Gauge("perdure_schedule_last_timestamp_seconds", "When a schedule ran last", ("schedule",))

GAUGES = tuple(each for each in globals().copy().values() if isinstance(each, Gauge))
"""All of them. Each is in every answer with its help, whether or not it has values."""
