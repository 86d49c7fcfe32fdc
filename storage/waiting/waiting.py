"""Everything in Postgres that waits, over all periods: what, since when, why, and the command that resolves it.

Usage that is probably wrong or cannot be billed is not here: `storage/warnings` finds it, which takes longer. What only
Temporal knows (paused schedules, queues without a worker) is not here either.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from billing.accounts.cycles import LONGEST_MONTH
from billing.audit.kinds import Kind
from billing.invoice.policy import ChargeOn
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.recovery.event_cursor import STRIPE_RETRIES
from storage.waiting.kinds import RESOLUTIONS, WaitingKind

_MOST_OF_A_KIND = 1000
_UNMERGED_AFTER = timedelta(minutes=10)
_AUDIT_AFTER = timedelta(days=2)
_MISBILLED = (
    Kind.CLAIMED_BEYOND_RUNTIME,
    Kind.CLAIMED_OUTSIDE_WINDOWS,
    Kind.CLAIMED_FOR_OTHER_ACCOUNT,
    Kind.WRONG_CLASS,
    Kind.WRONG_QUANTITY,
)
_SEEN = (
    Kind.INVOICE_BLOCKED,
    Kind.VOID_STUCK,
    Kind.AWAITS_APPROVAL,
    Kind.INVOICE_STUCK,
    Kind.CREDIT_NOTE_STUCK,
    Kind.CREDIT_NOTE_BLOCKED,
    Kind.ACCOUNT_BLOCKED,
    Kind.DISPUTE_UNANSWERED,
    Kind.SUBSCRIPTION_BLOCKED,
    Kind.PERIOD_HELD,
    Kind.EVENTS_UNREAD,
    Kind.SOURCE_STALE,
)
"""Findings of the audit that wait here by themselves, all of them."""
_REFERENCE = "/credit/"


@dataclass(frozen=True)
class WaitingTerms:
    """By which terms something waits.

    Args:
        now: an instant in UTC.
        stuck_after: what should move by itself waits if it has not moved for this time (AUDIT_STUCK_AFTER).
        unread_after: Stripe's events are unread after this time without a catch-up.
        last_period: the period that ended last, `2022-05`, with its start and end in UTC.
        charge_on: the deployment's: a subscription's invoices bill what no period's run does.
    """

    now: datetime
    stuck_after: timedelta
    unread_after: timedelta
    last_period: str
    last_start: datetime
    last_end: datetime
    charge_on: ChargeOn = ChargeOn.OWN


@dataclass(frozen=True)
class WaitingThing:
    """A thing that waits.

    `subject` is its key or name; of `misbilled` and `audit_finding` the kind of the finding, of which there are
    `things`, with the ids of the first one. `amounts`: minor units by currency. `duration_us`: runtime in microseconds,
    if it is usage.
    """

    kind: WaitingKind
    subject: str
    attribution_id: str | None
    billing_period: str | None
    invoice_key: str | None
    instance_id: str | None
    since: datetime
    reason: str
    amounts: Mapping[str, int]
    things: int = 1
    duration_us: int | None = None
    account_name: str | None = None

    @property
    def person(self) -> bool:
        """Whether a person must act; if not, it waits for time or for Stripe."""
        return RESOLUTIONS[self.kind].person

    @property
    def command(self) -> str:
        """The command that resolves it, or begins to; "" if that is done elsewhere, as the page says."""
        given = {
            "subject": self.subject,
            "period": self.billing_period,
            "account": self.attribution_id,
            "invoice": self.invoice_key,
            "instance": self.instance_id,
            "reference": self.subject.rpartition(_REFERENCE)[2],
        }
        return RESOLUTIONS[self.kind].command.format(**{name: shlex.quote(each or "") for name, each in given.items()})

    @property
    def page(self) -> str:
        """Its page in docs/on-call, without the folder and `.md`."""
        return RESOLUTIONS[self.kind].page


@dataclass(frozen=True)
class WaitingTotal:
    """All that waits of a kind: how many, the oldest since when, and how much in minor units by currency."""

    kind: WaitingKind
    things: int
    since: datetime
    amounts: Mapping[str, int]

    @property
    def person(self) -> bool:
        """Whether a person must act."""
        return RESOLUTIONS[self.kind].person


async def read_waiting(
    db: Database,
    terms: WaitingTerms,
    *,
    period: str | None = None,
    attribution_id: str | None = None,
    most: int = _MOST_OF_A_KIND,
) -> list[WaitingThing]:
    """Return what waits, oldest first: at most `most` of each kind.

    With `period` or `attribution_id`, only what belongs to it: a source or the audit belongs to neither.
    """
    async with db.transaction(read_only=True) as connection:
        given = {**_parameters(terms), "period": period, "attribution_id": attribution_id, "most": most}
        rows = await connection.execute(statement("waiting/waiting", "rows"), given)
        return [_waiting(row) for row in rows]


async def read_waiting_totals(
    db: Database, terms: WaitingTerms, *, period: str | None = None, attribution_id: str | None = None
) -> list[WaitingTotal]:
    """Return how much waits of each kind, the kind with the oldest first; kinds of which nothing waits are left out."""
    async with db.transaction(read_only=True) as connection:
        given = {**_parameters(terms), "period": period, "attribution_id": attribution_id}
        rows = await connection.execute(statement("waiting/waiting", "totals"), given)
        return [WaitingTotal(WaitingKind(row.kind), row.things, row.since, dict(row.amounts)) for row in rows]


def _parameters(terms: WaitingTerms) -> dict[str, Any]:
    return {
        "now": terms.now,
        "stuck_before": terms.now - terms.stuck_after,
        "unread_before": terms.now - terms.unread_after,
        "unmerged_before": terms.now - _UNMERGED_AFTER,
        "audit_before": terms.now - _AUDIT_AFTER,
        "retried_since": terms.now - STRIPE_RETRIES,
        "charge_on": str(terms.charge_on),
        "longest_month": LONGEST_MONTH,
        "last_ended": terms.last_period,
        "last_start": terms.last_start,
        "last_end": terms.last_end,
        "misbilled_kinds": [str(kind) for kind in _MISBILLED],
        "seen_kinds": [str(kind) for kind in _SEEN],
    }


def _waiting(row: Row[Any]) -> WaitingThing:
    given = {field.name: getattr(row, field.name) for field in fields(WaitingThing) if field.name in row._fields}
    return WaitingThing(**{**given, "kind": WaitingKind(row.kind), "amounts": dict(row.amounts)})
