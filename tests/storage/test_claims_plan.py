"""How PostgreSQL claims an account with very many instances."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from billing.assessment.slices import usage_parameters
from storage.claims.assessing import billable_accounts
from storage.claims.claims import claim_page
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

_INSTANCES = 1000
_EXPECTED = re.compile(r" on workspace_instance \w+ +\(cost=\S+ rows=(\d+)")


async def test_postgresql_expects_the_instances_that_there_are(db: Database) -> None:
    """If it expected few, it would read all claims again for each of a million."""
    await add_account(db, "team:a")
    await add_instances(db, *(instance(f"i-{n}", may(2), may(2.25)) for n in range(_INSTANCES)))
    await claim_page(db, scope(), card())
    async with db.connection() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))
    later = scope(period="2022-06", cutoff=may(63), period_start=may(32))
    async with db.transaction() as connection:
        await tune(connection)
        accounts = await billable_accounts(connection, later)
        explain = text(f"EXPLAIN {statement('claims/claims', 'usage').text}")
        rows = await connection.execute(explain, usage_parameters(later, card(), accounts))
        plan = "\n".join(rows.scalars())
    # Of an account's index entries beyond an instant that it does not know yet, it expects a third.
    assert max(map(int, _EXPECTED.findall(plan))) == pytest.approx(_INSTANCES / 3, abs=1), plan
    assert re.search(r"Hash Cond: \(.* = claimed\.instance_id\)", plan), plan
