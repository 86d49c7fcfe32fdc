"""Nothing that writes usage or claims does so on a schema that this code does not know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from billing.usage.rows import AccountRow
from storage.accounts.staging import staged_accounts
from storage.claims.amendment import amend_invoice
from storage.claims.claims import claim_page
from storage.postgres.database import Database, DatabaseUnavailableError
from storage.postgres.revision import known_revisions, require_known_revision
from storage.postgres.upgrade import head, upgrade
from storage.usage.instances import upsert_instances
from tests.storage.usage import add_account, add_instances, card, claimed, execute, instance, may, scope
from tests.support.databases import FreshDatabase

OLDER = f"the database has revision 0001, {head()} is needed: run `perdure db upgrade`"
NEWER = f"the database has revision 9999, newer than {head()}, .* upgrade this process"


@pytest.fixture
async def db(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(await fresh_database(upgrade), pool_size=2)
    await add_account(database)
    await add_instances(database, instance("i-1", may(3), may(4)))
    yield database
    await database.close()


async def _claim(db: Database) -> object:
    return await claim_page(db, scope(), card())


async def _amend(db: Database) -> object:
    return await amend_invoice(db, "2022-05/team:a/period", scope(attribution_id="team:a"), card())


async def _import_instances(db: Database) -> object:
    return await upsert_instances(db, [instance("i-2", may(3), may(4))])


async def _import_accounts(db: Database) -> None:
    async with staged_accounts(db) as staging:
        await staging.add([AccountRow(line=1, attribution_id="team:b", stripe_customer_id=None, currency="usd",
                                      bill_after=None, started=None, ended=None)])  # fmt: skip


async def set_revision(db: Database, revision: str) -> None:
    await execute(db, "UPDATE alembic_version SET version_num = :revision", revision=revision)


def test_the_known_revisions_end_with_the_newest_migration() -> None:
    assert known_revisions()[-1] == head()


@pytest.mark.parametrize(
    "write", [_claim, _amend, _import_instances, _import_accounts], ids=lambda write: write.__name__
)
@pytest.mark.parametrize(("revision", "message"), [("0001", OLDER), ("9999", NEWER), ("abcd", "newer than")])
async def test_a_schema_of_another_version_takes_no_claim_and_no_usage(
    db: Database, write: Callable[[Database], Awaitable[object]], revision: str, message: str
) -> None:
    await set_revision(db, revision)
    with pytest.raises(DatabaseUnavailableError, match=message):
        await write(db)
    await set_revision(db, head())
    assert await claimed(db) == []
    await _claim(db)
    assert await claimed(db) == [("i-1", may(3), may(4))]


async def test_a_newer_schema_is_enough_for_whoever_claims_nothing(db: Database) -> None:
    await set_revision(db, "9999")
    async with db.transaction() as connection:
        await require_known_revision(connection, or_newer=True)
    await set_revision(db, "0001")
    with pytest.raises(DatabaseUnavailableError, match=OLDER):
        async with db.transaction() as connection:
            await require_known_revision(connection, or_newer=True)


async def test_an_older_version_does_not_upgrade_a_newer_database(db: Database, fresh_database: FreshDatabase) -> None:
    await set_revision(db, "9999")
    with pytest.raises(DatabaseUnavailableError, match=f"newer than this version of Perdure, .* {head()}: .*9999"):
        await upgrade(fresh_database.urls[-1])
