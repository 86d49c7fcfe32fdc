"""Sources of usage as Postgres knows them: how far each was read, and since when it fails."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import PermanentError, UnknownNameError
from storage.postgres.database import Database
from storage.postgres.revision import require_known_revision
from storage.postgres.roles import INGEST
from storage.postgres.rows import record
from storage.postgres.statements import statement


class UnknownSourceError(PermanentError, UnknownNameError):
    """There is no such source in Postgres."""


class ForbiddenRoleError(PermanentError):
    """The database role is not allowed to store usage as the sources' worker does."""


@dataclass(frozen=True)
class SourceTerms:
    """What Postgres has to know of a source in `sources.toml`. `kind`: `sql` or `files`.

    `stale_after`: an instance whose last sign is the source's is silent once that is older; zero for never, None for
    what the deployment says.
    """

    name: str
    kind: str
    every: timedelta
    lag: timedelta
    stale_after: timedelta | None = None


@dataclass(frozen=True)
class SourceState:
    """A source, and how far it was read.

    `stale_after`: as of `SourceTerms`. `snapshot_at`: when it last had all running instances; None if it may lack some.
    `complete_up_to`: it has nothing more to say about the time before. `read_at`: the start of the last successful
    read, of which the counts are. `faults`: refused rows that wait for a better one.
    """

    name: str
    kind: str
    every: timedelta
    lag: timedelta
    stale_after: timedelta | None
    snapshot_at: datetime | None
    cursor: datetime | None
    complete_up_to: datetime | None
    read_at: datetime | None
    rows_read: int
    rows_new: int
    rows_stale: int
    rows_refused: int
    error: str | None
    failing_since: datetime | None
    registered_at: datetime
    removed_at: datetime | None
    faults: int

    def status(self, now: datetime) -> str:
        """Return its status in a word: `ok`, `new`, `late`, `failing` or `removed`."""
        if self.removed_at is not None:
            return "removed"
        if self.error is not None:
            return "failing"
        if self.is_stale(now):
            return "late"
        return "new" if self.complete_up_to is None else "ok"

    def is_stale(self, now: datetime) -> bool:
        """Whether it is further behind than its lag and three reads explain. The audit says the same by its own SQL."""
        complete_up_to = self.complete_up_to or self.registered_at - self.lag
        return complete_up_to < now - self.lag - 3 * self.every


@dataclass(frozen=True)
class ReadBegun:
    """A read that begins. `cursor`: what to read after, None for everything. `began_at`: by Postgres' clock."""

    cursor: datetime | None
    began_at: datetime
    failing_since: datetime | None


@dataclass(frozen=True)
class ReadCounts:
    """What a successful read found, and how far the source is complete by it.

    `snapshot_at`: when it had all running instances; None if it may lack some.
    """

    started_at: datetime
    complete_up_to: datetime
    rows: int
    new: int
    stale: int
    refused: int
    snapshot_at: datetime | None = None


async def register_sources(db: Database, sources: Sequence[SourceTerms]) -> None:
    """Record what `sources.toml` has. Idempotent; a source that was removed is there again."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("arrivals/sources", "register"),
            {
                "names": [source.name for source in sources],
                "kinds": [source.kind for source in sources],
                "every": [source.every for source in sources],
                "lags": [source.lag for source in sources],
                "stale_after": [source.stale_after for source in sources],
            },
        )


async def require_ingesting(db: Database) -> None:
    """Make sure that the schema is known, and that the role may do what the sources' worker does.

    Raises:
        DatabaseUnavailableError: the database has another schema.
        ForbiddenRoleError: the role may not; the message names it, and the role that may.
    """
    async with db.transaction() as connection:
        await require_known_revision(connection)
        found = (await connection.execute(statement("arrivals/sources", "may_ingest"))).one()
    if not found.allowed:
        raise ForbiddenRoleError(
            f"DATABASE_URL: the role {found.role!r} may not store usage: the sources' worker needs a member of {INGEST}"
        )


async def remove_sources(db: Database, names: Collection[str]) -> None:
    """Record that `sources.toml` no longer has these: nothing waits for them any more. What they reported stays."""
    async with db.transaction() as connection:
        await connection.execute(statement("arrivals/sources", "remove"), {"names": list(names)})


async def load_source(db: Database, name: str) -> SourceState:
    """Return a source, even a removed one.

    Raises:
        UnknownSourceError: there is none.
    """
    async with db.transaction(read_only=True) as connection:
        row = (await connection.execute(statement("arrivals/sources", "one"), {"name": name})).one_or_none()
    if row is None:
        raise UnknownSourceError(f"there is no source {name!r}: `perdure schedule set` registers those of sources.toml")
    return record(SourceState, row)


async def list_sources(db: Database, *, removed: bool = False) -> list[SourceState]:
    """Return the sources by name, with `removed` also those that were removed."""
    async with db.transaction(read_only=True) as connection:
        rows = (await connection.execute(statement("arrivals/sources", "all"))).all()
    return [state for row in rows if (state := record(SourceState, row)).removed_at is None or removed]


async def begin_read(db: Database, name: str, definition: str) -> ReadBegun:
    """Begin to read a registered source. If its definition has changed, everything is read again."""
    async with db.transaction() as connection:
        given = {"name": name, "definition": definition}
        return record(ReadBegun, (await connection.execute(statement("arrivals/sources", "begin"), given)).one())


async def move_cursor(connection: AsyncConnection, name: str, cursor: datetime | None) -> None:
    """Move the cursor within the transaction that stores what lies before it."""
    await connection.execute(statement("arrivals/sources", "move_cursor"), {"name": name, "cursor": cursor})


async def record_success(connection: AsyncConnection, name: str, cursor: datetime | None, counts: ReadCounts) -> None:
    """Record, within the caller's transaction, that the source was read to its end."""
    given = {
        "name": name,
        "cursor": cursor,
        "complete_up_to": counts.complete_up_to,
        "started_at": counts.started_at,
        "rows": counts.rows,
        "new": counts.new,
        "stale": counts.stale,
        "refused": counts.refused,
        "snapshot_at": counts.snapshot_at,
    }
    await connection.execute(statement("arrivals/sources", "succeed"), given)


async def record_files_read(db: Database, name: str, counts: ReadCounts) -> None:
    """Record that all files of a source were read."""
    async with db.transaction() as connection:
        await record_success(connection, name, None, counts)


async def record_failure(
    db: Database, name: str, error: str, started_at: datetime
) -> tuple[datetime | None, datetime | None]:
    """Record that a read failed. Returns how far the source is complete, and since when it fails: the first failure."""
    async with db.transaction() as connection:
        given = {"name": name, "error": error, "started_at": started_at}
        row = (await connection.execute(statement("arrivals/sources", "fail"), given)).one_or_none()
        return (None, started_at) if row is None else (row.complete_up_to, row.failing_since)
