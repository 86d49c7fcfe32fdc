"""Record people's decisions, each in the transaction that carries it out, and list them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.decided import HERE, DecidedFrom, DecidedWith
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement

_NEWEST = 2**63 - 1


class DecisionKind(StrEnum):
    """What was decided. The subject is an invoice's key, a credit note's, or a period, if nothing else is said."""

    APPROVE = "approve"
    NOT_YET = "not_yet"
    """An invoice that waits goes on waiting: only its own approval releases it."""
    ACCEPT = "accept"
    """Stripe's figures of an edited invoice, in place of ours."""
    REBUILD = "rebuild"
    RETRY = "retry"
    VOID = "void"
    WRITE_OFF = "write_off"
    CREDIT = "credit"
    CORRECT = "correct"
    """An invoice. The subject is the correction's key."""
    RETRY_CREDIT = "retry_credit"
    WITHDRAW_CREDIT = "withdraw_credit"
    APPROVE_PERIOD = "approve_period"
    WITHOUT_SOURCE = "without_source"
    """A period is billed without a source, which the reason names."""
    TRIGGER = "trigger"
    """A schedule, before its time. The subject is its name, or the period that the monthly one bills."""
    RUN_PERIOD = "run_period"
    PAUSE = "pause"
    """A schedule, by its name; so are those that are resumed."""
    RESUME = "resume"
    SYNC = "sync"
    """A source, by its name, is read now."""
    AUDIT = "audit"
    """The books of a period, or of everything, are audited now."""
    CATCH_UP = "catch_up"
    """Stripe's events are read now."""
    POLICY = "policy"
    """Of an account, by its id."""
    ACCEPT_WARNING = "accept_warning"
    """A warning, by its kind and subject; so are those that are reported again."""
    WITHDRAW_WARNING = "withdraw_warning"


@dataclass(frozen=True)
class DecisionRecord:
    """A decision: who decided it, why (empty if it was not said), when, and where from.

    `address`: of the browser; None if the decision came from the command line.
    """

    id: int
    kind: DecisionKind
    subject: str
    decided_by: str
    reason: str
    decided_at: datetime
    origin: DecidedWith
    address: str | None


async def record_decision(
    connection: AsyncConnection,
    kind: DecisionKind,
    subject: str,
    *,
    by: str,
    reason: str = "",
    place: DecidedFrom = HERE,
    request: str | None = None,
    at: datetime | None = None,
) -> None:
    """Add a decision to the trail, in the transaction that carries it out.

    `request`: an id of the request; the same decision on the same request is recorded once. `at`: when it was decided;
    None: now.
    """
    decided = {"kind": str(kind), "subject": subject, "by": by, "reason": reason, "request": request, "at": at}
    decided |= {"origin": str(place.origin), "address": place.address}
    await connection.execute(statement("decisions/trail", "record"), decided)


async def record_request(
    db: Database,
    kind: DecisionKind,
    *subjects: str,
    by: str,
    reason: str = "",
    place: DecidedFrom = HERE,
    request: str | None = None,
    at: datetime | None = None,
) -> None:
    """Add decisions that Temporal carries out; `request` and `at` as for `record_decision`."""
    async with db.transaction() as connection:
        for subject in subjects:
            await record_decision(connection, kind, subject, by=by, reason=reason, place=place, request=request, at=at)


async def list_decisions(
    db: Database,
    *,
    subject: str | None = None,
    kind: DecisionKind | None = None,
    by: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[DecisionRecord]:
    """Return up to `limit` decisions, newest first.

    Args:
        db: the database.
        subject: only those about it; None: all.
        kind: only of this kind; None: all.
        by: only of this person; None: all.
        before: the id of the last one of the page before; None for the first page.
        limit: at most so many.
    """
    wanted = {
        "subject": subject,
        "kind": None if kind is None else str(kind),
        "by": by,
        "before": _NEWEST if before is None else before,
        "limit": limit,
    }
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("decisions/trail", "list"), wanted)
        return [record(DecisionRecord, row) for row in rows]
