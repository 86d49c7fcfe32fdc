"""`perdure accounts list` for a spreadsheet."""

from __future__ import annotations

import csv
from io import StringIO

from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.storage.settled_world import settled_world
from tests.storage.usage import execute


async def test_columns_are_the_same_each_month_and_no_currency_is_lost(
    perdure: Perdure, database_url: str, db: Database
) -> None:
    """An account that owes in another currency than its own does not look as if it owed nothing."""
    await settled_world(db)
    await execute(db, "UPDATE invoice SET currency = 'eur' WHERE key = '2022-06/team:a/period'")
    perdure.settings["DATABASE_URL"] = database_url
    rows = list(csv.DictReader(StringIO((await perdure("accounts", "list", "-o", "csv")).out)))
    first, *others = rows
    assert {"account", "unpaid", "billed", "billing_period", "other_currencies"} <= set(first)
    assert float(first["unpaid"]) > 0
    assert first["other_currencies"].startswith("unpaid ")
    assert first["other_currencies"].endswith(" EUR")
    assert {row["other_currencies"] for row in others} == {""}
