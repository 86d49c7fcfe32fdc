"""What is streamed from PostgreSQL is never in memory as a whole."""

from __future__ import annotations

import tracemalloc

from sqlalchemy import text

from storage.exports.period import reading_period
from storage.postgres.database import Database

_LINES = 20_000
_MOST_BYTES = 6 * 1024 * 1024  # all lines at once take 20 MB
_WORLD = """
INSERT INTO account (attribution_id, name, currency) VALUES ('team:a', 'Acme', 'usd');
INSERT INTO invoice (key, attribution_id, billing_period, reason, state, cutoff, currency, amount, credits,
                     rate_card_digest)
VALUES ('2022-05/team:a/period', 'team:a', '2022-05', 'period', 'billed', '2022-06-01Z', 'usd', 1, 1, '');
INSERT INTO invoice_line (invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,
                          price_per_credit, duration_us, carried_us, credits, amount)
SELECT id, n, 'class ' || n, '2022-01-01Z', 0.1666666667, false, 0.036, n, 0, n, n
FROM invoice CROSS JOIN generate_series(1, 20000) AS n
"""


async def test_a_period_is_read_in_flat_memory(db: Database) -> None:
    async with db.transaction() as connection:
        for each in _WORLD.split(";\n"):
            await connection.execute(text(each))
    async with reading_period(db, "2022-05") as reading:
        tracemalloc.start()
        try:
            count = 0
            async for _ in reading.lines():
                count += 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == _LINES
    assert peak < _MOST_BYTES, f"{peak:,} bytes"
