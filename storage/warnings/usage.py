"""Instances whose usage is probably wrong, found by set: of an imported file, or of all usage of a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.attribution import PATTERN
from billing.pricing.rating import RateCard
from billing.usage.warnings import ANY_SUBJECT, NO_ID, WarningKind
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class SuspectScope:
    """Which usage is suspect: it runs for longer than `longer` at `as_of`, or its class is not on the card.

    Usage within `[start, as_of)` counts, of one account or of all; without `start`, all of it. Without `longer` or
    without a rate card, there is no such warning.
    """

    as_of: datetime
    start: datetime | None = None
    attribution_id: str | None = None
    longer: timedelta | None = None
    rate_card: RateCard | None = None


@dataclass(frozen=True)
class SuspectSubject:
    """A subject of a warning that is not accepted; its kind has `subjects` of them.

    `instances`: how many instances it concerns, with one of them as `instance_id`. `line`: the first line in the
    imported file. `since`: when the first of the instances started, or gave the last sign if it is absent.
    """

    kind: WarningKind
    subjects: int
    subject: str
    instances: int
    instance_id: str
    line: int | None
    since: datetime | None


@dataclass(frozen=True)
class OverlappingRuns:
    """Two instances of the workspace `subject` that ran at once, from `since` until `until`; `subjects` have such."""

    subjects: int
    subject: str
    instance_id: str
    other: str
    since: datetime
    until: datetime


async def staged_suspects(connection: AsyncConnection, scope: SuspectScope, most: int) -> list[SuspectSubject]:
    """Return the suspect subjects of the file that is staged on this connection: up to `most` of each kind.

    The file's rows must be stored: what is known about their instances now is judged, within the caller's transaction.
    """
    await tune(connection)
    return await _read(connection, statement("warnings/usage", "staged"), scope, most)


async def suspects(db: Database, scope: SuspectScope, most: int) -> list[SuspectSubject]:
    """Return the suspect subjects of the scope: up to `most` of each kind."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        return await _read(connection, statement("warnings/usage", "during"), scope, most)


async def overlapping_runs(db: Database, scope: SuspectScope, most: int) -> list[OverlappingRuns]:
    """Return up to `most` workspaces of which two instances ran at once, and the first such time of each."""
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.execute(
            statement("warnings/usage", "overlapping"), {**_of(scope), "any_subject": ANY_SUBJECT, "most": most}
        )
        return [record(OverlappingRuns, row) for row in rows]


async def _read(connection: AsyncConnection, query: Any, scope: SuspectScope, most: int) -> list[SuspectSubject]:
    rows: list[Row[Any]] = list(
        await connection.execute(
            query,
            {
                **_of(scope),
                **_rated(scope.rate_card),
                "long_before": scope.as_of - scope.longer if scope.longer else None,
                "attribution_id_pattern": PATTERN,
                "no_id": NO_ID,
                "any_subject": ANY_SUBJECT,
                "most": most,
            },
        )
    )
    return [record(SuspectSubject, row) for row in rows]


def _of(scope: SuspectScope) -> dict[str, Any]:
    return {"start": scope.start, "as_of": scope.as_of, "attribution_id": scope.attribution_id}


def _rated(card: RateCard | None) -> dict[str, Any]:
    """Return the classes of a card with the time during which each has a rate of its own, as columns."""
    versions = card.versions if card else ()
    ends = [*(version.effective_from for version in versions[1:]), None]
    rated = [
        (workspace_class, version.effective_from, until)
        for version, until in zip(versions, ends, strict=False)
        for workspace_class in version.credits_per_minute
    ]
    return {
        "classes": [each[0] for each in rated],
        "classes_since": [each[1] for each in rated],
        "classes_until": [each[2] for each in rated],
        "first_rate": versions[0].effective_from if versions else None,
        "cards": int(card is not None),
    }
