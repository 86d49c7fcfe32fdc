import socket

import pytest
from sqlalchemy import text

from billing.errors import InputError
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.support.databases import FreshDatabase


async def _refused(url: str) -> str:
    database = Database(url)
    try:
        with pytest.raises(DatabaseUnavailableError) as refused:
            await database.ping()
    finally:
        await database.close()
    message = str(refused.value)
    assert "\n" not in message
    assert "secret" not in message
    return message


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_takes_the_usual_urls(postgres_url: str, scheme: str) -> None:
    rest = postgres_url.split("://", 1)[1]
    joint = "&" if "?" in rest else "?"
    database = Database(f"{scheme}://{rest}{joint}sslmode=prefer&channel_binding=prefer&connect_timeout=3")
    async with database.transaction() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        level = await connection.execute(text("SHOW transaction_isolation"))
        assert level.scalar_one() == "read committed"
    await database.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "x", "", "postgresql://h:99999999/x", "postgresql://[::1/x"])
def test_refuses_what_is_no_url_of_postgres(url: str) -> None:
    with pytest.raises(InputError):
        Database(url)


@pytest.mark.waits
async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        message = await _refused(f"postgresql://u:secret@127.0.0.1:{port}/x")
    assert f"127.0.0.1:{port}/x" in message
    assert "DATABASE_URL" in message


async def test_unknown_host() -> None:
    assert "perdure.invalid" in await _refused("postgresql://u:secret@perdure.invalid/x")


async def test_missing_database_and_wrong_user(postgres_url: str) -> None:
    server = postgres_url.rsplit("/", 1)[0]
    assert "does not exist" in await _refused(f"{server}/not_there")
    host = server.rsplit("@", 1)[1]
    await _refused(f"postgresql://nobody_here:secret@{host}/postgres")


async def test_missing_migrations_are_named(postgres_url: str) -> None:
    assert "perdure db upgrade" in await _refused(postgres_url)
    database = Database(postgres_url)
    with pytest.raises(DatabaseUnavailableError, match="perdure db upgrade"):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT * FROM claim"))
    await database.close()


@pytest.mark.waits
async def test_an_error_rolls_back_and_a_lost_connection_is_replaced(
    fresh_database: FreshDatabase,
) -> None:
    url = await fresh_database()
    database, other = Database(url, pool_size=1), Database(url, pool_size=1)
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE t (n int)"))
    end_others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )

    async def write_and_fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            raise ZeroDivisionError

    async def lose_the_connection() -> None:
        async with database.transaction() as connection:
            async with other.transaction() as killer:
                await killer.execute(end_others)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    with pytest.raises(DatabaseUnavailableError, match="lost"):
        await lose_the_connection()
    async with other.transaction() as killer:
        await killer.execute(end_others)
    async with database.transaction() as connection:  # the pool notices on its own
        assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 0
    await database.close()
    await other.close()


@pytest.mark.waits
async def test_a_full_pool_is_said_clearly(postgres_url: str) -> None:
    database = Database(postgres_url, pool_size=1)
    database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    async with database.transaction():
        with pytest.raises(DatabaseUnavailableError, match="DATABASE_POOL_SIZE"):
            await database.ping()
    await database.close()
