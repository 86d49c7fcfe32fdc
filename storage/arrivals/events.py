"""Accepting what somebody sends: facts are kept as they are, in one transaction that takes no account's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.usage.events import Arrival
from storage.postgres.database import Database
from storage.postgres.statements import statement

REMEMBERED = timedelta(days=90)
"""How long the id of an event is known. After that the same event counts once all the same, because it is an equal
fact; an event that has its id but another content is a fact of its own."""


class Acceptance(StrEnum):
    """The outcome of an arrival."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    """It had arrived before, with the same content."""
    REFUSED = "refused"
    """Its id had arrived before, with another content."""


async def accept(db: Database, arrivals: Sequence[Arrival]) -> list[Acceptance]:
    """Keep what is new of these arrivals until it is folded. Returns the outcome of each, in order.

    When this returns, what was accepted is committed. The ids of signs of life are not remembered, because a repeated
    one changes nothing.

    Raises:
        DatabaseUnavailableError: nothing was accepted.
    """
    first: dict[tuple[str, str], Arrival] = {}
    for each in arrivals:
        first.setdefault(_key(each), each)
    async with db.transaction() as connection:
        known = await _keep(connection, list(first.values()))
    judged: dict[tuple[str, str], Acceptance] = {}
    result = []
    for each in arrivals:
        key, before = _key(each), judged.get(_key(each))
        if before is None:
            judged[key] = _judged(each, known)
            result.append(judged[key])
        elif first[key].digest != each.digest:
            result.append(Acceptance.REFUSED)
        else:
            result.append(Acceptance.KNOWN if before is Acceptance.ACCEPTED else before)
    return result


async def accept_corrections(db: Database, arrivals: Sequence[Arrival]) -> None:
    """Keep rows that replace all that is known about their instances; they count each time they arrive.

    Raises:
        DatabaseUnavailableError: nothing was accepted.
    """
    async with db.transaction() as connection:
        await connection.execute(statement("arrivals/events", "correct"), _columns(arrivals))


async def forget_ids(db: Database, most: int) -> int:
    """Forget at most so many ids of events that arrived more than `REMEMBERED` ago. Returns their number.

    Raises:
        DatabaseUnavailableError: none was forgotten.
    """
    async with db.transaction() as connection:
        given = {"age": REMEMBERED, "most": most}
        return (await connection.execute(statement("arrivals/events", "forget"), given)).rowcount


async def _keep(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], str]:
    """Keep what is new. Returns the digests of what had arrived before, by its key."""
    if not arrivals:
        return {}
    added = await connection.execute(statement("arrivals/events", "accept"), _columns(arrivals))
    new = {(row.source, row.id) for row in added}
    rest = [key for each in arrivals if (key := _key(each)) not in new]
    if not rest:
        return {}
    asked = {"sources": [source for source, _ in rest], "ids": [key for _, key in rest]}
    found = await connection.execute(statement("arrivals/events", "known"), asked)
    return {(row.source, row.id): str(row.digest) for row in found}


def _columns(arrivals: Sequence[Arrival]) -> dict[str, object]:
    return {
        "sources": [each.fact.source for each in arrivals],
        "ids": [each.key for each in arrivals],
        "arrivals": [each.digest for each in arrivals],
        "instance_ids": [each.instance_id for each in arrivals],
        "at": [each.fact.at for each in arrivals],
        "kinds": [str(each.fact.kind) for each in arrivals],
        "contents": [each.fact.content for each in arrivals],
        "digests": [each.fact.digest for each in arrivals],
    }


def _key(arrival: Arrival) -> tuple[str, str]:
    return arrival.fact.source, arrival.key


def _judged(arrival: Arrival, known: dict[tuple[str, str], str]) -> Acceptance:
    before = known.get(_key(arrival))
    if before is None:
        return Acceptance.ACCEPTED
    return Acceptance.KNOWN if before == str(arrival.digest) else Acceptance.REFUSED
