"""Messages of sources: reading them, and fetching before a bill."""

from datetime import datetime, timedelta

from pydantic import Field

from contracts.messages.base import Message

ARRIVALS = "api"
"""The name that what the API accepted has among the sources; no source of `sources.toml` can have it."""


class SourceRead(Message):
    """One attempt to read a source.

    `rows` were read; of them `new` changed what is known, `stale` were older than what is known, `refused` wait for a
    correction. `complete_up_to`: the source has nothing more to say about the time before; None before the first
    successful read. `faults`: the first refused rows, in words. `every`: how often the source is read from now on;
    None if it cannot be known. `removed`: it was not read, because it is no longer in use.
    """

    name: str
    started_at: datetime
    rows: int = 0
    new: int = 0
    stale: int = 0
    refused: int = 0
    misbilled: int = 0
    complete_up_to: datetime | None = None
    error: str | None = None
    failing_since: datetime | None = None
    every: timedelta | None = None
    faults: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    removed: bool = False


class SourceInput(Message):
    """Starts `SourceSyncWorkflow`; `last` carries the last read across continue-as-new."""

    name: str
    every: timedelta
    last: SourceRead | None = None


class SyncSource(Message):
    """Asks `source/<name>` to read now; `since`: at least everything that changed from this instant on."""

    name: str
    since: datetime | None = None
    by: str = ""


class ReadSource(Message):
    """Asks for one read of a source, from the earlier of its cursor and `since`."""

    name: str
    since: datetime | None = None


class PlanFetch(Message):
    """Asks what must be fetched before usage is billed up to the end of `period`, or up to `cutoff`: one is given.

    `draft_of`: the account whose subscription's draft it is for. If it is charged on invoices of its own, nothing must.
    """

    period: str | None = None
    cutoff: datetime | None = None
    draft_of: str | None = None


class SourceDue(Message):
    """A source, and from when on it can be complete up to the cutoff."""

    name: str
    ready_at: datetime


class FetchPlan(Message):
    """What to fetch: `since` is where a read begins at the latest; `pending` says whether accepted events wait."""

    cutoff: datetime
    since: datetime
    sources: list[SourceDue]
    pending: bool = False


class DrainArrivals(Message):
    """Asks to store all that the API had accepted when the drain began."""

    by: str = ""


class ArrivalsDrained(Message):
    """What a drain stored: facts, and the instances that they concern."""

    facts: int
    instances: int
    refused: int = 0


class SourceFetch(Message):
    """How far a source is fetched for a bill.

    `state` is `due`, `reading`, `failing`, `behind`, `read`, `skipped` or `removed`.
    """

    name: str
    state: str
    ready_at: datetime
    read: SourceRead | None = None


class FetchState(Message):
    """What a period fetches before it bills. `held`: the sources that it has awaited for long enough to say so."""

    cutoff: datetime | None = None
    sources: list[SourceFetch] = Field(default_factory=list)
    held: list[str] = Field(default_factory=list)
