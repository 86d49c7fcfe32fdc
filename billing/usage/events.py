"""What somebody sends about instances, as facts: events in the form of CloudEvents 1.0, and rows with an update time.

docs/send-events.md explains what each event means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.errors import InputError
from billing.report.canonical import format_instant
from billing.usage.columns import ColumnNames
from billing.usage.facts import COLUMNS, Fact, FactKind, fact, fact_of_row
from billing.usage.parsing import REQUIRED, parse_instance, past
from billing.usage.rows import InstanceRow, RowFault
from billing.usage.times import parse_time

OWN_SOURCES = "api:"
"""The sources of rows begin with this, and those of events do not."""

_NAMES = ColumnNames("instances", {})
MOST_NAMES = 50
"""More than there are columns, so that unknown ones are named, but not by the hundred thousand."""
_GIVEN_BY = {
    "id": "is the event's subject",
    "updated_at": "is the event's time",
    "started_time": "is the time of an event instance.started",
    "stopping_time": "is the time of an event instance.stopping",
    "stopped_time": "is the time of an event instance.stopped",
}
"""The columns that an event's data cannot have, and why."""


class EventType(StrEnum):
    """The types of events about an instance."""

    STARTED = "instance.started"
    CHANGED = "instance.changed"
    ALIVE = "instance.alive"
    STOPPING = "instance.stopping"
    STOPPED = "instance.stopped"

    @property
    def kind(self) -> FactKind:
        """The kind of fact that the event is."""
        return FactKind(self.removeprefix("instance."))


@dataclass(frozen=True)
class Arrival:
    """A fact that somebody sent; `key` is what makes it one of its source: the same key arrives once."""

    key: str
    instance_id: str
    fact: Fact

    @property
    def digest(self) -> UUID:
        """Differs if the key arrives again with anything else."""
        text = "\n".join([self.instance_id, format_instant(self.fact.at), str(self.fact.digest)])
        return UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest())


@dataclass(frozen=True)
class InstanceEvent:
    """An event as it arrived: its attributes are text, its data is not checked yet."""

    id: str
    source: str
    type: EventType
    subject: str
    time: str
    data: Mapping[str, object]


def parse_event(index: int, event: InstanceEvent, received: datetime) -> Arrival | list[RowFault]:
    """Return the event as a fact, or all of its faults; `index` is their line.

    `received` is when it arrived: a time more than 5 minutes after it is refused.
    """
    faults = []
    try:
        at = past(parse_time(event.time), received)
    except InputError as error:
        faults.append(RowFault(index, "time", str(error)))
    if event.source.startswith(OWN_SOURCES):
        faults.append(RowFault(index, "source", f"begins with {OWN_SOURCES}, which is reserved"))
    kind = event.type.kind
    if kind is FactKind.ALIVE and event.data:
        faults.append(RowFault(index, "data", f"must be empty in {event.type}: send {EventType.CHANGED} for a change"))
    if kind is FactKind.CHANGED and not event.data:
        faults.append(RowFault(index, "data", "is empty: it has the columns that changed"))
    fields = _fields(index, event.data, faults)
    faults += [RowFault(index, f"data.{name}", _GIVEN_BY[name]) for name in fields if name in _GIVEN_BY]
    checked = {name: value for name, value in fields.items() if name not in _GIVEN_BY}
    row = parse_instance(index, {"id": event.subject, **checked}, received)
    if isinstance(row, list):
        faults += [_of_event(fault) for fault in row]
    if faults or isinstance(row, list):
        return faults
    given = {name: getattr(row, name) for name in COLUMNS if name not in row.missing}
    return Arrival(event.id, row.id, fact(at, event.source, kind, given))


def parse_row(
    index: int, given: Mapping[str, object], sender: str, received: datetime, *, corrects: bool = False
) -> Arrival | list[RowFault]:
    """Return a row as a fact of its update time, or all of its faults; `sender` names who sent it.

    `corrects`: it replaces all that is known of its instance, so that a column that it lacks would be cleared.
    """
    faults: list[RowFault] = []
    row = parse_instance(index, _fields(index, given, faults), received)
    faults += row if isinstance(row, list) else []
    updated_at = row.updated_at if isinstance(row, InstanceRow) else None
    if updated_at is None and not any(fault.column == "updated_at" for fault in faults):
        faults.append(RowFault(index, "updated_at", "is required: it says of which instant the row is"))
    if corrects and isinstance(row, InstanceRow):
        lacking = [name for name in REQUIRED["instances"] if name in row.missing]
        faults += [RowFault(index, name, "is required: the row replaces all that is known") for name in lacking]
    if faults or updated_at is None or isinstance(row, list):
        return faults
    known = fact_of_row(row, updated_at, f"{OWN_SOURCES}{sender}")
    return Arrival(f"{row.id} {format_instant(updated_at)} {known.digest}", row.id, known)


def _fields(index: int, given: Mapping[str, object], faults: list[RowFault]) -> dict[str, object]:
    """Return the values by column; two names of one column are a fault, and so are too many names."""
    names = list(given)
    if len(names) > MOST_NAMES:
        faults.append(RowFault(index, "data", f"has {len(names)} columns; the maximum is {MOST_NAMES}"))
        return {}
    try:
        columns = _NAMES.of_row(names)
    except InputError as error:
        faults.append(RowFault(index, "data", str(error)))
        return {}
    return {column or name: given[name] for column, name in zip(columns, names, strict=True)}


def _of_event(fault: RowFault) -> RowFault:
    return RowFault(fault.line, "subject" if fault.column == "id" else f"data.{fault.column}", fault.reason)
