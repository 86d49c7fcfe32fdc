"""Facts: "at this instant, by this source, the instance looked like this". A row with an update time, or an event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TypeAlias
from uuid import UUID

from billing.report.canonical import format_decimal, format_instant
from billing.usage.rows import InstanceRow

Value: TypeAlias = str | datetime | Decimal | None

TIMES = ("creation_time", "started_time", "stopping_time", "stopped_time")
COLUMNS = (
    "attribution_id",
    "workspace_id",
    "project_id",
    "owner_id",
    "workspace_class",
    "workspace_type",
    "quantity",
    *TIMES,
)
"""What a fact can say about an instance."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_STOPS = ("stopping_time", "stopped_time")


class FactKind(StrEnum):
    """What a fact reports."""

    ROW = "row"
    """A snapshot of the instance: the values of its columns at that instant."""
    STARTED = "started"
    CHANGED = "changed"
    """Another class, quantity or payer from that instant on."""
    ALIVE = "alive"
    """A sign that the instance still runs."""
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Fact:
    """One fact about an instance. `content`: canonical JSON of the columns that it gives; null clears a value."""

    at: datetime
    source: str
    kind: FactKind
    content: str

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """The columns that the fact gives, by name."""
        return _values(self.content)

    @property
    def has_stop(self) -> bool:
        """Whether the fact says that the instance stopped."""
        if self.kind is FactKind.ROW:
            return any(self.values.get(name) is not None for name in _STOPS)
        return self.kind in (FactKind.STOPPING, FactKind.STOPPED)

    @property
    def digest(self) -> UUID:
        """What makes the fact one of its instance, instant and source: the same fact that arrives again counts once."""
        return UUID(bytes=hashlib.md5(f"{self.kind}{self.content}".encode(), usedforsecurity=False).digest())


def fact(at: datetime, source: str, kind: FactKind, values: Mapping[str, Value]) -> Fact:
    """Return the fact that gives these columns."""
    given = {name: _text(value) for name, value in values.items()}
    return Fact(at, source, kind, _CANONICAL.encode(given))


def fact_of_row(row: InstanceRow, at: datetime, source: str) -> Fact:
    """Return a row as the fact of this instant."""
    given = {name: getattr(row, name) for name in COLUMNS if name not in row.missing}
    return fact(at, source, FactKind.ROW, given)


@lru_cache(maxsize=1024)
def _values(content: str) -> Mapping[str, Value]:
    """Facts of an instance that changes to and fro say the same again and again."""
    return {name: _value(name, text) for name, text in json.loads(content).items()}


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return format_instant(value)
    return format_decimal(value)


def _value(name: str, text: str | None) -> Value:
    if text is None:
        return None
    if name in TIMES:
        return datetime.fromisoformat(text)
    return Decimal(text) if name == "quantity" else text
