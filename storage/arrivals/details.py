"""Details of customers that the API accepts: kept until their accounts have them, and sent to Stripe after that.

Each field of an account has the value of the latest instant, whatever the order in which the rows arrive. Rows of an
account that does not exist wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.arriving_details import ArrivingDetails
from storage.accounts.details import details_columns
from storage.arrivals.events import REMEMBERED
from storage.arrivals.faults import Refusal, keep_faults, remove_faults
from storage.postgres.database import Database
from storage.postgres.refusals import refusal, retrying
from storage.postgres.revision import require_known_revision
from storage.postgres.rows import record
from storage.postgres.statements import statement

BATCH = 1000
"""The rows that one transaction stores at most."""
WAIT = timedelta(minutes=1)
"""How long a row waits until its account is looked for again."""
_NO_ACCOUNT = "there is no such account yet: its details are kept for 90 days, until there is one"


@dataclass(frozen=True)
class StoredDetails:
    """What one transaction did: rows that are stored, and accounts that do not exist, whose rows wait."""

    rows: int
    waiting: Sequence[str] = ()


@dataclass(frozen=True)
class DetailsToSend:
    """An account whose details the API has changed last at `since`; `source` says who sent them."""

    attribution_id: str
    source: str
    since: datetime


async def accept_details(db: Database, arrivals: Sequence[ArrivingDetails]) -> None:
    """Keep these details until they are stored. When this returns, they are committed.

    Raises:
        DatabaseUnavailableError: nothing was accepted.
    """
    async with db.transaction() as connection:
        await connection.execute(
            statement("arrivals/details", "accept"),
            {
                "accounts": [each.attribution_id for each in arrivals],
                "at": [each.at for each in arrivals],
                "sources": [each.source for each in arrivals],
                **details_columns([each.details for each in arrivals]),
            },
        )


async def store_all(db: Database, most: int = BATCH, *, waiting: bool = False) -> AsyncIterator[StoredDetails]:
    """Store all details that are pending now, and yield each batch after its transaction.

    Args:
        most: the rows of one transaction.
        waiting: also look for the accounts that did not exist.

    Raises:
        DatabaseUnavailableError: the batches before are stored; the rest stays pending.
    """
    async with db.transaction(read_only=True) as connection:
        last = statement("arrivals/details", "last_of_all" if waiting else "last")
        upto = (await connection.execute(last)).scalar_one()
    while upto is not None:
        batch = await _store_next(db, upto, most, waiting=waiting)
        if not batch.rows and not batch.waiting:
            return
        yield batch


async def _store_next(db: Database, upto: int, most: int, *, waiting: bool) -> StoredDetails:
    """Store the next rows. A row that the database refuses stops no other: it is kept as a fault."""
    while True:
        try:
            with retrying("store details"):
                return await _store(db, upto, most, waiting=waiting)
        except DBAPIError as error:
            if most == 1:
                return await _give_up(db, upto, refusal(error), waiting=waiting)
            most //= 2


async def _give_up(db: Database, upto: int, reason: str, *, waiting: bool) -> StoredDetails:
    async with db.transaction() as connection:
        (row,) = await _next(connection, upto, 1, waiting=waiting)
        await connection.execute(statement("arrivals/details", "remove"), {"positions": [row.position]})
        await keep_faults(connection, row.source, [_refusal(row.attribution_id, reason)])
        return StoredDetails(1)


async def _next(connection: AsyncConnection, upto: int, most: int, *, waiting: bool) -> Sequence[Row[Any]]:
    given = {"upto": upto, "most": most}
    name = "next_known" if waiting else "next"
    return (await connection.execute(statement("arrivals/details", name), given)).all()


async def _store(db: Database, upto: int, most: int, *, waiting: bool) -> StoredDetails:
    async with db.transaction() as connection:
        await require_known_revision(connection)
        found = await _next(connection, upto, most, waiting=waiting)
        accounts = sorted({row.attribution_id for row in found if row.known})
        await connection.execute(statement("arrivals/details", "lock"), {"accounts": accounts})
        good = {"positions": [row.position for row in found if row.known]}
        await connection.execute(statement("arrivals/details", "store"), good)
        await connection.execute(statement("arrivals/details", "remove"), good)
        await connection.execute(
            statement("arrivals/details", "wait"), {"positions": [row.position for row in found if not row.known]}
        )
        await _update_faults(connection, found)
        return StoredDetails(len(good["positions"]), sorted({row.attribution_id for row in found if not row.known}))


async def _update_faults(connection: AsyncConnection, found: Sequence[Row[Any]]) -> None:
    for source, rows in groupby(sorted(found, key=attrgetter("source")), attrgetter("source")):
        own = list(rows)
        await remove_faults(connection, source, {_subject(row.attribution_id) for row in own if row.known})
        await keep_faults(
            connection, source, [_refusal(row.attribution_id, _NO_ACCOUNT) for row in own if not row.known]
        )


def _subject(attribution_id: str) -> str:
    """Return the name by which a fault is kept: an instance can have the id of an account."""
    return f"account {attribution_id}"


def _refusal(attribution_id: str, reason: str) -> Refusal:
    return Refusal(_subject(attribution_id), "details", reason, line=0)


async def forget_waiting(db: Database) -> int:
    """Forget details whose account does not exist after `REMEMBERED`, with their faults. Returns the number of rows.

    Raises:
        DatabaseUnavailableError: none was forgotten.
    """
    async with db.transaction() as connection:
        found = await connection.execute(statement("arrivals/details", "forget"), {"age": REMEMBERED})
        forgotten = sorted((row.source, _subject(row.attribution_id)) for row in found)
        for source, pairs in groupby(forgotten, itemgetter(0)):
            await remove_faults(connection, source, {subject for _, subject in pairs})
        return len(forgotten)


async def next_to_send(db: Database, limit: int) -> list[DetailsToSend]:
    """Return accounts whose details Stripe is to get, in the order of their changes."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("arrivals/details", "to_send"), {"limit": limit})
        return [record(DetailsToSend, row) for row in found]


async def note_sent(db: Database, sent: DetailsToSend, refused: str = "") -> None:
    """Note that Stripe has an account's details, or why it refuses them: they wait until they change.

    If something changed meanwhile, it is still to be sent.
    """
    async with db.transaction() as connection:
        if refused:
            given = {"attribution_id": sent.attribution_id, "since": sent.since}
            if (await connection.execute(statement("arrivals/details", "refused"), given)).rowcount:
                await keep_faults(connection, sent.source, [_refusal(sent.attribution_id, refused)])
            return
        given = {"attribution_id": sent.attribution_id}
        if (await connection.execute(statement("arrivals/details", "sent"), given)).rowcount:
            await remove_faults(connection, sent.source, {_subject(sent.attribution_id)})


async def postpone(db: Database, unsent: DetailsToSend) -> None:
    """Have all others sent before these details."""
    async with db.transaction() as connection:
        given = {"attribution_id": unsent.attribution_id, "since": unsent.since}
        await connection.execute(statement("arrivals/details", "postpone"), given)
