"""Giving the table `claim` of an earlier version the constraint that compares keys, while claims are written.

PostgreSQL adds an exclusion constraint under a lock that keeps everybody out until its index is built. So the claims
are copied to a table that has the constraint, which then takes the name of the first:

1. Triggers have each write go to both tables: from here on, both constraints refuse a second claim.
2. What was there before is copied in batches. Writers wait for one batch, which takes less than a second.
3. The tables are compared in one snapshot. Then the copy takes the name, once all transactions have ended that began
   before the last batch: to their snapshots the copy is empty.

Each step is a transaction that leaves in the database how far it came: an interrupted call is continued by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import CursorResult, TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import InputError, MismatchError
from storage.postgres.database import Database
from storage.postgres.roles import apply_grants
from storage.postgres.statements import statement

Say = Callable[[str], None]
Step = Callable[[AsyncConnection], Awaitable[str]]
_BLOCKS = 32
_LOCK_NOT_AVAILABLE = "55P03"
_OTHERS_DEPEND_ON_IT = "2BP01"
_PAUSE_SECONDS = 0.2


async def rekey_claims(db: Database, say: Say = lambda _: None) -> bool:
    """Bring the table along. Returns whether there was anything to do. `say` is given what it does.

    One call at a time does it, and others wait.

    Raises:
        MismatchError: the copy differs from the table. It is dropped, and the next call makes another one.
        InputError: something else in the database depends on the table.
    """
    async with db.connection() as connection:
        try:
            await _take_turns(connection, say)
            if (await _run(connection, statement("rekeying/claims", "keyed"))).scalar_one():
                return False
            await _bring_along(connection, say)
        finally:
            await connection.invalidate()
    return True


async def _take_turns(connection: AsyncConnection, say: Say) -> None:
    """Wait for another call outside of transactions: it waits for those to end (see `_end_of_earlier_transactions`)."""
    while not (await _run(connection, statement("rekeying/claims", "try_turn"))).scalar_one():
        say("waiting for another `perdure db upgrade`, which copies the claims")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _bring_along(connection: AsyncConnection, say: Say) -> None:
    say("having claims written to a second table")
    await _once_free(connection, statement("rekeying/claims", "keep_writers_out"), _begin)
    while copied := await _once_free(connection, statement("rekeying/claims", "keep_writers_out"), _copy):
        say(f"copying the claims, {copied}")
    say("comparing the claims with their copy")
    if (await _run(connection, statement("rekeying/claims", "differs"))).scalar_one():
        await _once_free(connection, statement("rekeying/claims", "keep_all_out"), _discard)
        raise MismatchError(
            "the copy of the claims differs from them, and was dropped: run `perdure db upgrade` again; if that does "
            "not help, two claims overlap: run `perdure audit`"
        )
    await _run(connection, statement("rekeying/claims", "analyze"))
    say("waiting for transactions that began before the last claim was copied")
    await _end_of_earlier_transactions(connection)
    await _once_free(connection, statement("rekeying/claims", "keep_all_out"), _take_the_name)


async def _run(connection: AsyncConnection, asked: TextClause) -> CursorResult[Any]:
    async with connection.begin():
        return await connection.execute(asked)


async def _once_free(connection: AsyncConnection, lock: TextClause, step: Step) -> str:
    """Run the step in a transaction that has the lock."""
    while True:
        try:
            async with connection.begin():
                await connection.execute(statement("rekeying/claims", "wait_briefly"))
                await connection.execute(lock)
                return await step(connection)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def _begin(connection: AsyncConnection) -> str:
    await connection.execute(statement("rekeying/claims", "begin"))
    return ""


async def _copy(connection: AsyncConnection) -> str:
    """Copy a batch. Returns how far it came, empty if there was nothing left to copy."""
    row = (await connection.execute(statement("rekeying/claims", "copy"), {"blocks": _BLOCKS})).one_or_none()
    return "" if row is None else f"{100 * row.done // row.of} %"


async def _discard(connection: AsyncConnection) -> str:
    await connection.execute(statement("rekeying/claims", "discard"))
    return ""


async def _end_of_earlier_transactions(connection: AsyncConnection) -> None:
    earlier = await _at_work(connection)
    while earlier:
        await asyncio.sleep(_PAUSE_SECONDS)
        earlier &= await _at_work(connection)


async def _at_work(connection: AsyncConnection) -> set[str]:
    return set((await _run(connection, statement("rekeying/claims", "at_work"))).scalars())


async def _take_the_name(connection: AsyncConnection) -> str:
    try:
        await connection.execute(statement("rekeying/claims", "take_the_name"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _OTHERS_DEPEND_ON_IT:
            raise
        raise InputError(
            "the table `claim` cannot be replaced, because a view of yours or another object depends on it: drop it, "
            "run `perdure db upgrade` again, and create it again"
        ) from error
    await connection.run_sync(apply_grants)
    return ""
