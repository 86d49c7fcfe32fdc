"""The claims of a release are brought along while they are written and read, and wherever it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import InputError, MismatchError
from storage.postgres.database import Database
from storage.postgres.upgrade import upgrade
from storage.rekeying import claims as rekeying
from storage.rekeying.claims import rekey_claims
from tests.support.until import GIVE_UP_SECONDS, until

_ALL = "SELECT * FROM claim ORDER BY instance_id, during"
_CLAIM = """
    INSERT INTO claim (invoice_id, line_no, instance_id, during)
    SELECT invoice_id, line_no, $1, '[2022-05-02Z, 2022-05-03Z)' FROM invoice_line ORDER BY 1, 2 LIMIT 1
"""
_MANY = """
    INSERT INTO claim (invoice_id, line_no, instance_id, during)
    SELECT l.invoice_id, l.line_no, 'i-' || n, '[2022-05-02Z, 2022-05-03Z)'
    FROM (SELECT * FROM invoice_line ORDER BY 1, 2 LIMIT 1) AS l, generate_series(1, 5000) AS n
"""
_RELEASE = "DELETE FROM claim WHERE instance_id = ANY ($1)"
_READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'claim_next'"
_SHAPE = """
    SELECT conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint
    WHERE conrelid = 'claim'::regclass
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'claim'
    UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'claim'::regclass
    UNION ALL SELECT 'grant', a::text FROM pg_class, aclexplode(relacl) AS a WHERE oid = 'claim'::regclass
    UNION ALL SELECT relname, '' FROM pg_class WHERE relname LIKE 'claim\\_next%'
    ORDER BY 1, 2
"""


@pytest.fixture
async def old(old_database: str) -> AsyncIterator[asyncpg.Connection]:
    await upgrade(old_database)
    connection = await asyncpg.connect(old_database)
    yield connection
    await connection.close()


@pytest.fixture
async def db(old: asyncpg.Connection, old_database: str) -> AsyncIterator[Database]:
    database = Database(old_database, 1)
    yield database
    await database.close()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "_BLOCKS", 1)


@pytest.mark.waits
@pytest.mark.usefixtures("small_batches")
async def test_it_is_written_and_read_meanwhile(
    db: Database, old: asyncpg.Connection, old_database: str, migrated_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot from before the last batch sees its claims. Without the wait for it, it would see a part of them."""
    await old.execute(_MANY)
    before = await old.fetch(_ALL)
    reader, said, looks = await asyncpg.connect(old_database), [""], list[set[str]]()
    at_work = rekeying._at_work

    async def counted(connection: AsyncConnection) -> set[str]:
        looks.append(await at_work(connection))
        return looks[-1]

    monkeypatch.setattr(rekeying, "_at_work", counted)
    snapshot = reader.transaction(isolation="repeatable_read")
    await snapshot.start()
    await reader.execute("SELECT FROM account")
    running = asyncio.create_task(rekey_claims(db, said.append))
    number = 0
    while not said[-1].startswith("waiting"):
        number += 1
        await _write(old, number, said)
    assert number > 5

    async def waits() -> bool:
        return len(looks) > 2 or running.done()

    await until(waits)
    assert await reader.fetch(_ALL) == before
    assert not running.done()
    written = await old.fetch(_ALL)
    await snapshot.commit()
    assert await running
    assert await old.fetch(_ALL) == written
    assert not await rekey_claims(db)
    await reader.close()
    fresh = await asyncpg.connect(migrated_database)
    assert await old.fetch(_SHAPE) == await fresh.fetch(_SHAPE)
    await fresh.close()


async def _write(old: asyncpg.Connection, number: int, said: list[str]) -> None:
    """Write, correct and delete claims, in what is copied and in what is not; none is accepted twice."""
    await old.execute(_CLAIM, f"new-{number}")
    await old.execute("DELETE FROM claim WHERE instance_id = ANY ($1)", [f"i-{number}", f"i-{5000 - number}"])
    await old.execute("UPDATE claim SET quantity = 2 WHERE instance_id = ANY ($1)", [f"i-{number + 999}", "i-3000"])
    for instance in (f"new-{number}", "i-1500", "i-3500"):
        with pytest.raises(asyncpg.ExclusionViolationError):
            await old.execute(_CLAIM, instance)


@pytest.mark.usefixtures("small_batches")
async def test_it_goes_on_wherever_it_was_interrupted(db: Database, old: asyncpg.Connection) -> None:
    await old.execute("INSERT INTO claim SELECT invoice_id, line_no, instance_id || n, during FROM claim, "
                      "generate_series(1, 50) AS n")  # fmt: skip
    before, interruptions = await old.fetch(_ALL), 0
    while True:
        steps: list[str] = []

        def say(what: str, steps: list[str] = steps, reached: int = interruptions) -> None:
            steps.append(what)
            if len(steps) > reached:
                raise InterruptedError

        try:
            await rekey_claims(db, say)
            break
        except InterruptedError:
            interruptions += 1
        assert await old.fetch(_ALL) == before
    assert interruptions > 4
    assert await old.fetch(_ALL) == before


async def test_of_two_at_once_one_does_it(db: Database, old: asyncpg.Connection, old_database: str) -> None:
    """The second waits for the first, which must not wait for the second."""
    before, other, said, waiting = await old.fetch(_ALL), Database(old_database, 1), list[str](), list[str]()
    writer = old.transaction()
    await writer.start()
    await old.execute("LOCK TABLE claim IN ROW EXCLUSIVE MODE")
    first = asyncio.create_task(rekey_claims(db, said.append))

    async def has_begun() -> bool:
        return bool(said)

    async def has_tried_again() -> bool:
        return len(waiting) > 1

    await until(has_begun)
    second = asyncio.create_task(rekey_claims(other, waiting.append))
    await until(has_tried_again)
    await writer.commit()
    copied, copied_too = await asyncio.wait_for(asyncio.gather(first, second), GIVE_UP_SECONDS)
    assert copied
    assert not copied_too
    assert all(each.startswith("waiting for another") for each in waiting)
    assert await old.fetch(_ALL) == before
    await other.close()


@pytest.mark.usefixtures("small_batches")
async def test_a_release_reads_no_whole_copy(db: Database, old: asyncpg.Connection) -> None:
    """Nor by a session that released a claim when the copy was empty."""

    async def interrupted_at(step: str) -> None:
        def say(what: str) -> None:
            if what.startswith(step):
                raise InterruptedError

        with pytest.raises(InterruptedError):
            await rekey_claims(db, say)

    await old.execute(_MANY)
    await interrupted_at("copying")
    await old.execute(_RELEASE, ["i-1"])
    await interrupted_at("comparing")
    async with old.transaction():
        before = await old.fetchval(_READ)
        await old.execute(_RELEASE, [f"i-{n}" for n in range(2, 102)])
        assert await old.fetchval(_READ) == before + 100
    assert await rekey_claims(db)


async def test_a_copy_that_differs_never_takes_the_name(db: Database, old: asyncpg.Connection) -> None:
    before = await old.fetch(_ALL)
    await old.execute("CREATE VIEW of_theirs AS SELECT * FROM claim")
    with pytest.raises(InputError, match="a view of yours"):
        await rekey_claims(db)
    await old.execute("DROP VIEW of_theirs; UPDATE claim_next SET quantity = 7 WHERE ctid = '(0,1)'")
    with pytest.raises(MismatchError, match="the copy of the claims differs"):
        await rekey_claims(db)
    assert await rekey_claims(db)
    assert await old.fetch(_ALL) == before
