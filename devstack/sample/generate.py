"""Generate the sample files next to this one: `python -m devstack.sample.generate`. Always the same bytes.

May 2022 of twelve accounts, with cases from real life: an account that cancels and returns twice, usage that nobody
pays for, instances that span a month's end or still run, a class that changes, a stop that is in a later export, rows
that make no sense. An instance that shows such a case is named after it, so that `perdure explain NAME` explains it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

SEED = 20220501
MAY = datetime(2022, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SampleAccount:
    """A row of `accounts.csv`: an account with one of its subscription windows."""

    attribution_id: str
    name: str
    stripe_customer_id: str
    currency: str
    bill_after: str
    started: str
    ended: str


@dataclass(frozen=True)
class SampleInstance:
    """A row of `instances.csv`; an empty string is an unset field."""

    id: str
    attribution_id: str
    workspace_id: str
    project_id: str
    owner_id: str
    workspace_class: str
    workspace_type: str
    creation_time: str
    started_time: str
    stopping_time: str
    stopped_time: str


@dataclass(frozen=True)
class SampleFact:
    """A row of `changes.csv` and `late-stop.csv`: the state of an instance at the instant `updated_at`."""

    id: str
    attribution_id: str
    workspace_class: str
    started_time: str
    stopped_time: str
    updated_at: str


ACCOUNTS = (
    SampleAccount("team:aurora", "Aurora Labs", "", "eur", "", "2022-01-10T09:00:00Z", ""),
    SampleAccount("team:borealis", "Borealis Robotics", "", "usd", "", "2022-03-01T00:00:00Z", ""),
    # Canceled and returned, twice.
    SampleAccount("team:cumulus", "Cumulus Analytics", "", "usd", "", "2022-02-14T10:00:00Z", "2022-05-06T12:00:00Z"),
    SampleAccount(
        "team:cumulus", "Cumulus Analytics", "", "usd", "", "2022-05-10T08:30:00Z", "2022-05-17T18:45:30.25Z"
    ),
    SampleAccount("team:cumulus", "Cumulus Analytics", "", "usd", "", "2022-05-23T00:00:00Z", ""),
    SampleAccount("team:drift", "Drift Studio", "", "eur", "", "2021-11-02T13:37:00Z", ""),
    SampleAccount("user:ember", "Ember Consulting", "", "usd", "", "2022-04-20T07:00:00Z", ""),
    SampleAccount("user:fjord", "Fjord Design", "", "eur", "2022-05-10T12:00:00Z", "2022-04-28T12:00:00Z", ""),
    SampleAccount("team:glacier", "Glacier AI", "", "usd", "", "2022-01-01T00:00:00Z", ""),
    SampleAccount(
        "user:harbor", "Harbor Works", "", "usd", "", "2022-05-02T00:00:00Z", ""
    ),  # too little for an invoice
    SampleAccount("team:iris", "Iris Imaging", "", "eur", "", "2022-01-01T00:00:00Z", "2022-05-20T15:00:00Z"),  # left
    SampleAccount("user:juniper", "Juniper Games", "", "jpy", "", "2022-03-15T03:00:00Z", ""),
    SampleAccount(
        "team:krill", "Krill Biotech", "", "usd", "", "2022-05-12T09:00:00Z", ""
    ),  # new in the middle of the month
    SampleAccount("team:lumen", "Lumen Energy", "", "usd", "", "2022-05-01T00:00:00Z", ""),  # no usage
)

CHANGES = (
    SampleFact("class-change", "team:borealis", "default", "2022-05-10T09:00:00Z", "", "2022-05-10T09:00:00Z"),
    SampleFact("class-change", "team:borealis", "xl", "2022-05-10T09:00:00Z", "", "2022-05-10T13:00:00Z"),
    SampleFact(
        "class-change", "team:borealis", "xl", "2022-05-10T09:00:00Z", "2022-05-10T19:30:00Z", "2022-05-10T19:30:00Z"
    ),
    SampleFact("forgotten-stop", "team:glacier", "gpu", "2022-04-30T20:00:00Z", "", "2022-04-30T20:00:00Z"),
)
# A later export has the stop that is missing above.
LATE_STOPS = (
    SampleFact(
        "forgotten-stop", "team:glacier", "gpu", "2022-04-30T20:00:00Z", "2022-05-01T08:00:00Z", "2022-06-01T03:00:00Z"
    ),
)

# Account, number of ordinary instances, their classes, maximum runtime in hours.
FLEET = (
    ("team:aurora", 24, ("default", "default", "xl"), 9),
    ("team:borealis", 22, ("default", "xl"), 10),
    ("team:cumulus", 18, ("default",), 8),
    ("team:drift", 16, ("default", "xl", "g1-small"), 6),
    ("user:ember", 10, ("default",), 4),
    ("user:fjord", 10, ("default", "xl"), 5),
    ("team:glacier", 14, ("gpu", "gpu", "xl"), 12),
    ("user:harbor", 1, ("default",), 1),
    ("team:iris", 10, ("default",), 7),
    ("user:juniper", 8, ("default", "xl"), 6),
    ("team:krill", 8, ("default",), 8),
)


def accounts() -> tuple[SampleAccount, ...]:
    """Return the accounts, one row per window."""
    return ACCOUNTS


def instances() -> Iterator[SampleInstance]:
    """Yield the instances: first the named cases, then the ordinary ones."""
    yield from _special()
    random = Random(SEED)  # noqa: S311
    for attribution_id, count, classes, hours in FLEET:
        for _ in range(count):
            yield _ordinary(random, attribution_id, classes, hours)


def _ordinary(random: Random, attribution_id: str, classes: tuple[str, ...], hours: int) -> SampleInstance:
    """Return an ordinary instance. Uses only `random()`, whose sequence Python guarantees."""
    number = f"{int(random.random() * 16**12):012x}"
    # At least five hours before the month's end, so that no ordinary instance crosses it.
    created = MAY + timedelta(seconds=random.random() * (31 * 24 - hours - 5) * 3600)
    started = created + timedelta(seconds=5 + random.random() * 90)
    stopping = started + timedelta(seconds=60 + random.random() ** 2 * (hours * 3600 - 60))
    stopped = stopping + timedelta(seconds=2 + random.random() * 60)
    workspace_class = classes[int(random.random() * len(classes))]
    workspace_type = "prebuild" if random.random() < 0.15 else "regular"
    member = f"user:{attribution_id.split(':')[1]}-{int(random.random() * 4) + 1}"
    return SampleInstance(
        id=f"{number[:8]}-{number[8:]}",
        attribution_id=attribution_id,
        workspace_id=f"{attribution_id.split(':')[1]}-{number[:6]}",
        project_id=f"project-{int(random.random() * 3) + 1}",
        owner_id=attribution_id if attribution_id.startswith("user:") else member,
        workspace_class=workspace_class,
        workspace_type=workspace_type,
        creation_time=_text(created),
        started_time=_text(started),
        stopping_time=_text(stopping),
        stopped_time=_text(stopped),
    )


def _special() -> Iterator[SampleInstance]:
    yield _named("across-month-start", "team:aurora", "2022-04-30T22:10:00Z", "2022-05-01T01:40:30.5Z")
    yield _named("across-month-end", "team:aurora", "2022-05-31T23:15:00Z", "2022-06-01T02:05:00Z")
    yield _named("still-running", "team:borealis", "2022-05-30T08:00:00Z", "")
    yield _named("left-over-from-april", "team:borealis", "2022-04-12T10:00:00Z", "2022-04-12T13:30:00Z")
    yield _named("slow-to-stop", "user:ember", "2022-05-04T09:00:00Z", "2022-05-04T10:00:00Z", "2022-05-04T10:25:00Z")
    yield _named("across-rate-change", "team:glacier", "2022-05-15T20:00:00Z", "2022-05-16T04:00:00Z", kind="gpu")
    yield _named("across-cancellation", "team:cumulus", "2022-05-06T11:00:00Z", "2022-05-06T13:30:00Z")
    yield _named("between-windows", "team:cumulus", "2022-05-08T09:00:00Z", "2022-05-08T17:00:00Z")
    yield _named("after-leaving", "team:iris", "2022-05-21T10:00:00Z", "2022-05-21T11:45:00Z")
    yield _named("before-subscribing", "team:krill", "2022-05-11T14:00:00Z", "2022-05-11T15:00:00Z")
    yield _named("across-bill-after", "user:fjord", "2022-05-10T10:00:00Z", "2022-05-10T14:00:00Z")
    yield _named("no-creation-time", "team:drift", "2022-05-03T08:00:00Z", "2022-05-03T09:00:00Z", created="")
    # Imported, listed as excluded with the reason, never billed.
    yield _named("no-started-time", "team:drift", "", "", created="2022-05-03T10:00:00Z")
    yield _named("ends-before-start", "user:juniper", "2022-05-07T12:00:00Z", "2022-05-07T11:00:00Z")
    yield _named("no-attribution-id", "", "2022-05-09T12:00:00Z", "2022-05-09T12:30:00Z")
    yield _named("malformed-attribution-id", "team aurora", "2022-05-09T13:00:00Z", "2022-05-09T13:30:00Z")
    yield _named("unknown-account", "team:zephyr", "2022-05-18T08:00:00Z", "2022-05-18T16:00:00Z")


def _named(
    name: str,
    attribution_id: str,
    started: str,
    stopping: str,
    stopped: str | None = None,
    *,
    created: str | None = None,
    kind: str = "default",
) -> SampleInstance:
    return SampleInstance(
        id=name,
        attribution_id=attribution_id,
        workspace_id=f"workspace-{name}",
        project_id="project-1",
        owner_id="user:somebody",
        workspace_class=kind,
        workspace_type="regular",
        creation_time=started if created is None else created,
        started_time=started,
        stopping_time=stopping,
        stopped_time=stopping if stopped is None else stopped,
    )


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_csv(rows: Iterable[SampleAccount | SampleInstance | SampleFact]) -> str:
    """Return the rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(field.name for field in fields(row))
        writer.writerow(astuple(row))
    return text.getvalue()


def files() -> dict[str, str]:
    """Return the content of each generated file, by name."""
    return {
        "accounts.csv": to_csv(accounts()),
        "instances.csv": to_csv(instances()),
        "changes.csv": to_csv(CHANGES),
        "late-stop.csv": to_csv(LATE_STOPS),
    }


if __name__ == "__main__":
    for file_name, content in files().items():
        Path(__file__).with_name(file_name).write_text(content)
