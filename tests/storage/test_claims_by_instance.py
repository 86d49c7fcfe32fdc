"""Claims of an instance are found by the index of the constraint that keeps them apart: `claim` has no other for it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.usage import fill
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_ID = "c4ca4238-a0b9-2382-0dcc-509a6f75849b"
# What is not given is NULL.
LOOKUPS: dict[tuple[str, str], dict[str, Any]] = {
    ("claims/claims", "usage"): {"accounts": ["team:0000001"]},
    ("claims/conflicts", "conflict"): {},
    ("claims/conflicts", "insert_payers"): {},
    ("usage/misbilled", "of_instances"): {"instances": [_ID], "default_class": "default"},
    ("usage/explain", "explain"): {"instance_id": _ID, "default_class": "default"},
    ("invoices/decisions", "write_off"): {"id": 1},
    ("periods/periods", "excluded"): {"attribution_id": "team:0000001"},
    ("browsing/invoices", "named"): {"part": _ID, "beyond": _ID, "most": 1},
    ("audit/never_twice", "billed_twice"): {},
}


async def test_claims_of_an_instance_are_found_by_the_constraints_index(migrated_database: str) -> None:
    await fill(migrated_database, 20_000, an_account=10)
    db = Database(migrated_database, 1)
    async with db.transaction() as connection:
        await tune(connection)
        await connection.execute(statement("claims/claims", "create_page_usage"))
        # A month of this size is read as a whole sooner than by its index.
        await connection.execute(text("SET LOCAL enable_hashjoin = off"))
        plans = {each: await _plan(connection, *each) for each in LOOKUPS}
    await db.close()
    used = re.compile(r" (?:on|using) claim_never_twice")
    assert [(*each, plan) for each, plan in plans.items() if not used.search(plan)] == []


async def _plan(connection: AsyncConnection, topic: str, name: str) -> str:
    asked = statement(topic, name)
    given = dict.fromkeys(asked.compile().params) | LOOKUPS[topic, name]
    return "\n".join((await connection.execute(text(f"EXPLAIN {asked.text}"), given)).scalars())
