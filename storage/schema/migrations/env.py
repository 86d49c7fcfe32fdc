"""Alembic's entry. `storage.postgres.upgrade` gives a connection; the `alembic` command connects to `DATABASE_URL`."""

from __future__ import annotations

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text

from storage.postgres.database import Database
from storage.postgres.roles import apply_grants
from storage.schema.tables import METADATA

# An arbitrary number that nothing else locks: concurrent upgrades run one after the other.
LOCK = 7_336_873_201


def migrate(connection: Connection) -> None:
    """Run the migrations on this connection and renew the roles' grants, all in one transaction."""
    context.configure(connection=connection, target_metadata=METADATA)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        _lock_revision(connection)
        context.run_migrations()
        apply_grants(connection)


def _lock_revision(connection: Connection) -> None:
    """If there is anything to run, wait for the transactions that have read the revision, and let later ones wait.

    They write claims and usage by the schema that they know (see `storage/postgres/revision.py`).
    """
    if context.get_context().get_current_heads() not in ((), (context.get_head_revision(),)):
        connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))


async def _connect_and_migrate() -> None:
    database = Database(os.environ["DATABASE_URL"], pool_size=1)
    try:
        async with database.engine.connect() as connection:
            await connection.run_sync(migrate)
            await connection.commit()
    finally:
        await database.close()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(_connect_and_migrate())
