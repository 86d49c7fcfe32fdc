"""Steps that do not get on, grouped by what fails and said in one sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.text import plural
from contracts import retries
from contracts.names import BILLING_QUEUE, SOURCES_QUEUE, STRIPE_QUEUE, Workflows
from starter.cli import output
from storage.waiting.kinds import WaitingKind
from temporal.pending import PendingStep, StepState

_NOUNS: Mapping[str, tuple[str, str]] = {
    Workflows.INVOICE: ("invoice", "invoices"),
    Workflows.BILLING_BATCH: ("batch of accounts", "batches of accounts"),
    Workflows.BILLING_PERIOD: ("run of a period", "runs of periods"),
    Workflows.SCHEDULED_PERIOD: ("scheduled run", "scheduled runs"),
    Workflows.SUBSCRIPTION: ("subscription", "subscriptions"),
    Workflows.STRIPE_INVOICE: ("invoice of Stripe's", "invoices of Stripe's"),
    Workflows.CREDIT_NOTE: ("credit note", "credit notes"),
    Workflows.CREDIT_NOTES_SYNC: ("invoice's credit notes", "invoices' credit notes"),
    Workflows.DISPUTE: ("dispute", "disputes"),
    Workflows.REFUNDS_SYNC: ("payment's refunds", "payments' refunds"),
    Workflows.EVENTS_CATCH_UP: ("catch-up of Stripe's events", "catch-ups of Stripe's events"),
    Workflows.ADOPT_INVOICES: ("adoption of invoices", "adoptions of invoices"),
    Workflows.ACCOUNTS_SYNC: ("sync of accounts", "syncs of accounts"),
    Workflows.AUDIT: ("audit", "audits"),
    Workflows.SOURCE_SYNC: ("source", "sources"),
}
_AWAITED = {STRIPE_QUEUE: "Stripe", BILLING_QUEUE: "the billing worker", SOURCES_QUEUE: "the sources' worker"}
_REASON_OF_STRIPE = "Stripe: "
_WAITS_AS = {
    "StripeCredentials": WaitingKind.STRIPE_KEY_REFUSED,
    "StripeRateLimit": WaitingKind.STRIPE_UNAVAILABLE,
    "StripeUnavailable": WaitingKind.STRIPE_UNAVAILABLE,
}


@dataclass(frozen=True)
class StepGroup:
    """Workflows whose steps do not get on for the same reason: `since` when the first of them waits.

    `attempt` is the highest, `next_attempt_at` the soonest of all. `polled`: of steps that are not taken, whether a
    worker polls the queue. `example` is one of the workflows' ids.
    """

    workflow_type: str
    workflows: int
    queue: str
    state: StepState
    since: datetime
    example: str
    reason: str | None = None
    kind: str | None = None
    attempt: int = 1
    next_attempt_at: datetime | None = None
    worker: str | None = None
    polled: bool | None = None

    @property
    def subject(self) -> tuple[object, ...]:
        """What makes the group: it stays the same while its workflows and attempts change."""
        return (self.workflow_type, self.queue, self.state, self.kind or self.reason, self.polled)

    @property
    def stands_still(self) -> bool:
        """Whether it waits for a reason of its own; what waits for a worker, the state of its queue explains."""
        return self.state in (StepState.FAILS, StepState.PAUSED)

    @property
    def waits_as(self) -> WaitingKind:
        """The kind as which it waits: it says whether a person must act, and which page helps."""
        return _WAITS_AS.get(self.kind or "", WaitingKind.STEPS_FAILING)


def grouped(steps: Iterable[PendingStep]) -> list[StepGroup]:
    """Return the groups of the steps, those first that have waited the longest."""
    groups: dict[tuple[object, ...], list[PendingStep]] = {}
    for step in sorted(steps, key=lambda step: step.since):
        fails = step.state is StepState.FAILS
        reason = (step.failure_kind or step.failure) if fails else None
        groups.setdefault((step.workflow_type, step.queue, step.state, reason), []).append(step)
    return [_group(found) for found in groups.values()]


def _group(steps: Sequence[PendingStep]) -> StepGroup:
    first = steps[0]
    return StepGroup(
        workflow_type=first.workflow_type,
        workflows=len({step.workflow_id for step in steps}),
        queue=first.queue,
        state=first.state,
        since=first.since,
        example=first.workflow_id,
        reason=first.failure,
        kind=first.failure_kind,
        attempt=max(step.attempt for step in steps),
        next_attempt_at=min((step.next_attempt_at for step in steps if step.next_attempt_at), default=None),
        worker=first.worker,
        polled=first.polled,
    )


def sentence(group: StepGroup, now: datetime, *, with_since: bool = True) -> str:
    """Return the group in words: who waits for what since when, and why. A column of a table can have the instant."""
    who = plural(group.workflows, *_NOUNS.get(group.workflow_type, (group.workflow_type, group.workflow_type)))
    waits = f"{who} {'waits' if group.workflows == 1 else 'wait'}"
    since = f" since {output.when(group.since)}" if with_since else ""
    match group.state:
        case StepState.NOT_TAKEN if group.polled:
            return f"{waits} for a worker of the queue `{group.queue}`{since}: all are busy"
        case StepState.NOT_TAKEN:
            why = "no worker polls it" if group.polled is False else "no worker takes the step"
            start = f"start `perdure worker --queue {group.queue}`"
            return f"{waits} for a worker of the queue `{group.queue}`{since}: {why}; {start}"
        case StepState.LOST:
            gone = f"the worker {group.worker} that ran the step has ended or does not answer"
            within = f"{retries.HEARTBEAT.total_seconds():.0f} s"
            return f"{waits} for another worker of the queue `{group.queue}`: {gone}; it is given away within {within}"
        case StepState.PAUSED:
            return f"{waits}{since}: the step is paused in Temporal; unpause it there"
        case _:
            reason = (group.reason or "the step fails").removeprefix(_REASON_OF_STRIPE).rstrip(".")
            return f"{waits} for {_AWAITED.get(group.queue, group.queue)}{since}: {reason} ({_attempts(group, now)})"


def brief(group: StepGroup, now: datetime) -> str:
    """Return the group in a few words, for a line that is drawn again and again."""
    if group.state is StepState.NOT_TAKEN:
        return f"{group.workflows:,} for a worker of `{group.queue}`"
    if group.state is not StepState.FAILS:
        return f"{group.workflows:,} for a step that is {group.state}"
    return f"{group.workflows:,} for {_AWAITED.get(group.queue, group.queue)}: {_attempts(group, now)}"


def _attempts(group: StepGroup, now: datetime) -> str:
    if group.next_attempt_at is None:
        return f"attempt {group.attempt:,} runs"
    if group.next_attempt_at <= now:
        return f"attempt {group.attempt:,} is due"
    return f"attempt {group.attempt:,} in {_length(group.next_attempt_at - now)}"


def _length(duration: timedelta) -> str:
    seconds = max(1, round(duration.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def documents(groups: Iterable[StepGroup]) -> list[dict[str, Any]]:
    """Return the field `failing` of JSON documents."""
    return [
        {
            "workflow_type": group.workflow_type,
            "workflows": group.workflows,
            "example": group.example,
            "queue": group.queue,
            "state": str(group.state),
            "since": output.json_instant(group.since),
            "reason": group.reason,
            "kind": group.kind,
            "attempt": group.attempt,
            "next_attempt_at": output.json_instant(group.next_attempt_at),
            "worker": group.worker,
            "queue_polled": group.polled,
        }
        for group in groups
    ]
