"""Events and rows to send, in few words, and what the database then knows."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from billing.usage.events import Arrival, EventType, InstanceEvent, parse_event, parse_row
from storage.arrivals.pending import BATCH, fold_all
from storage.postgres.database import Database
from tests.storage.usage import fetch

NOW = datetime(2022, 7, 1, tzinfo=UTC)
_ids = itertools.count(1)


def new_id() -> str:
    """Return an id that no other event has."""
    return f"e{next(_ids)}"


def event(
    kind: str, at: datetime, /, instance: str = "i", *, id: str = "", source: str = "product", **data: Any
) -> Arrival:
    """Return an event as the API takes it."""
    given = InstanceEvent(
        id=id or new_id(),
        source=source,
        type=EventType(f"instance.{kind}"),
        subject=instance,
        time=at.isoformat(),
        data=data,
    )
    parsed = parse_event(0, given, NOW)
    assert isinstance(parsed, Arrival), parsed
    return parsed


def row(at: datetime, /, instance: str = "i", **columns: Any) -> Arrival:
    """Return a row as the API takes it from the sender `crm`."""
    given = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in {"id": instance, "updated_at": at, **columns}.items()
    }
    parsed = parse_row(0, given, "crm", NOW)
    assert isinstance(parsed, Arrival), parsed
    return parsed


async def fold_everything(ingest: Database, most: int = BATCH) -> int:
    """Fold all that is pending. Returns the number of facts."""
    return sum([batch.facts async for batch in fold_all(ingest, most)])


async def segments(db: Database) -> list[tuple[object, ...]]:
    """Return all segments: instance, start, end, account, class, quantity."""
    query = (
        "SELECT instance_id, lower(during), upper(during), attribution_id, workspace_class, quantity "
        "FROM instance_segment WHERE fault IS NULL ORDER BY instance_id, during"
    )
    return [tuple(row) for row in await fetch(db, query)]
