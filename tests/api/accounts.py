"""Details of customers as the API takes them, and what is known of their accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from billing.usage.arriving_details import ArrivingDetails, parse_details
from billing.usage.details import CustomerDetails
from billing.usage.rows import AccountRow
from storage.accounts.accounts import upsert_accounts
from storage.arrivals.details import store_all
from storage.postgres.database import Database
from tests.api.sending import NOW
from tests.storage.usage import execute, fetch


def details(at: datetime, account: str = "acme", /, **given: object) -> ArrivingDetails:
    """Return a row as the API takes it from the sender `crm`."""
    parsed = parse_details(0, {"attribution_id": account, "updated_at": at.isoformat(), **given}, "crm", NOW)
    assert isinstance(parsed, ArrivingDetails), parsed
    return parsed


async def add(db: Database, *accounts: str, name: str | None = None) -> None:
    rows = [AccountRow(1, account, None, "usd", details=CustomerDetails(name=name)) for account in accounts]
    assert await upsert_accounts(db, rows) == []


async def store(ingest: Database, *, waiting: bool = False) -> list[tuple[int, list[str]]]:
    return [(batch.rows, list(batch.waiting)) async for batch in store_all(ingest, waiting=waiting)]


async def known(db: Database, account: str = "acme") -> tuple[object, ...]:
    query = "SELECT name, email, address, tax_id, unsent FROM account WHERE attribution_id = '{}'"
    return tuple((await fetch(db, query.format(account)))[0])


async def faults(db: Database) -> list[tuple[str, str]]:
    return [tuple(row) for row in await fetch(db, "SELECT subject, reason FROM source_fault ORDER BY 1")]


@asynccontextmanager
async def refusing(db: Database, account: str, sqlstate: str) -> AsyncIterator[None]:
    """Have the database refuse each change of an account by this SQLSTATE."""
    await execute(
        db,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$",
    )
    await execute(
        db,
        "CREATE TRIGGER refuse BEFORE UPDATE ON account FOR EACH ROW"
        f" WHEN (OLD.attribution_id = '{account}') EXECUTE FUNCTION refuse()",
    )
    try:
        yield
    finally:
        await execute(db, "DROP FUNCTION refuse CASCADE")
