"""A short campaign of `make chaos` with a new seed each time, and proof that its verdict misses nothing.

`PERDURE_TEST_CHAOS_SEED` repeats one.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from campaigns.chaos.campaign import Campaign, Result, campaign
from campaigns.chaos.stand.folders import seed_folder
from campaigns.chaos.stand.stand import bare_environment
from campaigns.chaos.stand.templates import Templates, make_templates
from campaigns.chaos.verdict import judge
from campaigns.chaos.world import arrival_of, stripe_of

pytestmark = pytest.mark.waits

ACCOUNTS, STORM_MINUTES = 20, 0.08
_RIGHTLY_BILLED = """
SELECT i.key, i.report_id, c.instance_id
FROM invoice AS i
JOIN claim AS c ON c.invoice_id = i.id
JOIN instance_segment AS s ON s.instance_id = c.instance_id AND c.during <@ s.during
WHERE s.attribution_id = i.attribution_id
LIMIT 1
"""


@pytest.fixture
async def templates(scratch: Path) -> AsyncIterator[Templates]:
    folder = scratch / "chaos"
    folder.mkdir()
    folder.chmod(0o711)
    made = await make_templates(folder, bare_environment())
    yield made
    made.close()


async def test_a_random_month_under_fire_comes_to_what_the_reference_says(templates: Templates, scratch: Path) -> None:
    seed = int(os.environ.get("PERDURE_TEST_CHAOS_SEED") or time.time())
    again = f"make chaos ARGS='--seed {seed} --accounts {ACCOUNTS} --minutes {STORM_MINUTES}'"
    print(again)
    folder = seed_folder(scratch / "chaos", seed)
    result = Result(seed, ACCOUNTS, arrival_of(seed), stripe_of(seed))
    async with campaign(result, STORM_MINUTES, folder, templates) as started:
        await started.run()
        assert result.failures == [], again
        assert result.invoices > 0
        assert sum(result.kills.values()) > 0
        await _nothing_escapes_the_verdict(started)


async def _nothing_escapes_the_verdict(started: Campaign) -> None:
    """Damage the books in one way after another, and check that each is reported."""
    (row,) = await _sql(started, _RIGHTLY_BILLED)
    key, report = row["key"], started.stand.reports / row["report_id"]
    own = f"invoice_id = (SELECT id FROM invoice WHERE key = '{key}')"

    async def reported(*parts: str) -> None:
        verdict = await judge(started.stand, started.stripe, started.world, started.plan.voided)
        for part in parts:
            assert any(part in failure for failure in verdict.failures), (part, verdict.failures)

    for table, column in (("workspace_instance", "id"), ("segment", "instance_id")):
        await _sql(started, f"UPDATE {table} SET workspace_class = 'other' WHERE {column} = '{row['instance_id']}'")
    customer = (await started.stripe.list_all("/v1/customers"))[0]["id"]
    form = {"customer": customer, "currency": "usd", "metadata[perdure_invoice]": key}
    await started.stripe.call("POST", "/v1/invoices", form)
    report.write_bytes(report.read_bytes()[:-9])
    damage = ("billed as expected, but listed", f"{key}: 2 live invoices in Stripe", f"{key}: no report")
    await reported(*damage)
    await _sql(started, f"UPDATE invoice_line SET amount = amount + 1 WHERE {own}")
    await reported(f"{key}: its lines do not add up")
    await _sql(started, f"UPDATE claim SET quantity = quantity + 1 WHERE {own}")
    await _sql(started, f"UPDATE invoice SET amount = amount + 1, state = 'draft' WHERE key = '{key}'")
    await reported(f"{key} is draft", "; expected ", "too much")
    await _sql(started, f"DELETE FROM claim WHERE {own}")
    await reported(f"{key}: its claims total", "too little")


async def _sql(started: Campaign, statement: str) -> list[Any]:
    connection = await asyncpg.connect(started.stand.postgres.url())
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
