"""Warnings that a person has accepted: they are no longer reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.decided import HERE, DecidedFrom
from billing.usage.warnings import ANY_SUBJECT, WarningKind
from storage.decisions.trail import DecisionKind, record_decision
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement


@dataclass(frozen=True)
class AcceptedWarning:
    """Who accepted the warnings of this kind and subject, when, and why; the subject `*` stands for all."""

    kind: WarningKind
    subject: str
    accepted_by: str
    reason: str
    accepted_at: datetime


async def accept_warning(
    db: Database, kind: WarningKind, subject: str, *, by: str, reason: str, place: DecidedFrom = HERE
) -> bool:
    """Accept a warning. Accepted again, it has the new name, reason and time. Returns whether anything is different."""
    async with db.transaction() as connection:
        accepted = {"kind": kind, "subject": subject, "accepted_by": by, "reason": reason}
        found = await connection.execute(statement("warnings/accepted", "accept"), accepted)
        if found.rowcount:
            of = f"{kind} {subject}"
            await record_decision(connection, DecisionKind.ACCEPT_WARNING, of, by=by, reason=reason, place=place)
        return found.rowcount > 0


async def withdraw_warning(
    db: Database, kind: WarningKind, subject: str, *, by: str, reason: str = "", place: DecidedFrom = HERE
) -> bool:
    """Report a warning again. Returns whether it was accepted."""
    async with db.transaction() as connection:
        found = await connection.execute(statement("warnings/accepted", "withdraw"), {"kind": kind, "subject": subject})
        if found.rowcount:
            of = f"{kind} {subject}"
            await record_decision(connection, DecisionKind.WITHDRAW_WARNING, of, by=by, reason=reason, place=place)
        return found.rowcount > 0


async def accepted_warnings(db: Database) -> list[AcceptedWarning]:
    """Return all accepted warnings, by kind and subject."""
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(statement("warnings/accepted", "accepted"))
        return [record(AcceptedWarning, row) for row in rows]


async def is_accepted(db: Database, kind: WarningKind, subject: str) -> bool:
    """Return whether exactly this warning is accepted; the subject `*` stands for all of the kind."""
    return any((each.kind, each.subject) == (kind, subject) for each in await accepted_warnings(db))


async def accepted_subjects(db: Database, kind: WarningKind, subjects: Sequence[str]) -> set[str]:
    """Return which of these subjects are accepted, alone or with their whole kind."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("warnings/accepted", "accepted_subjects"),
            {"kind": kind, "subjects": list(subjects), "any_subject": ANY_SUBJECT},
        )
        return set(found.scalars())
