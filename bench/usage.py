"""A month of usage, generated inside PostgreSQL: the same in every run."""

from __future__ import annotations

from typing import Any

import asyncpg  # type: ignore[import-untyped]

INSTANCES_AN_ACCOUNT = 100
PERIOD = "2022-05"

# Every fifth account was canceled on the 10th and returned on the 12th.
_ACCOUNTS = """
INSERT INTO account (attribution_id, stripe_customer_id, currency)
SELECT 'team:' || lpad(n::text, 7, '0'), 'cus_' || n, 'usd' FROM generate_series(1, $1::int) AS n
"""
_WINDOWS = """
INSERT INTO subscription (attribution_id, currency, during)
SELECT 'team:' || lpad(n::text, 7, '0'), 'usd', during
FROM generate_series(1, $1::int) AS n
CROSS JOIN LATERAL unnest(CASE
    WHEN n % 5 = 0 THEN '{["2022-04-01Z","2022-05-10Z"), ["2022-05-12Z",)}'::tstzmultirange
    ELSE '{["2022-04-01Z",)}'::tstzmultirange END) AS during
"""
# In the order in which they are collected: by start, all accounts mixed. Some run into June, a few still run.
_INSTANCES = """
INSERT INTO workspace_instance (
    id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
    creation_time, started_time, stopping_time, stopped_time
)
SELECT md5(n::text)::uuid::text, 'team:' || lpad((1 + n % $2::int)::text, 7, '0'), 'w-' || n % 1000, 'p-' || n % 50,
       'user:' || n % 7, (ARRAY['default', 'xl', 'gpu'])[1 + n % 3], 'regular',
       start, start, stop, stop + interval '20 seconds'
FROM (
    SELECT n, start,
           CASE WHEN n % 200 <> 0
                THEN start + (n::bigint * 7919 % 43200) * interval '1 second' + interval '0.123456 s' END AS stop
    FROM (
        SELECT n, '2022-04-30Z'::timestamptz + n * (interval '31 days' / $1::int) AS start
        FROM generate_series(1, $1::int) AS n
    ) AS started
) AS run
"""
# The class of one instance in ten changed in the middle of its run: stored as the import of two facts stores it.
_SEGMENTED = """
WITH changed AS (
    UPDATE workspace_instance AS w
    SET segmented = true, workspace_class = other.workspace_class, last_sign = other.at
    FROM (
        SELECT id, workspace_class AS before, (ARRAY['default', 'xl', 'gpu'])[1 + (n + 1) % 3] AS workspace_class,
               started_time + (coalesce(stopping_time, '2022-06-01Z') - started_time) / 2 AS at
        FROM (SELECT *, row_number() OVER (ORDER BY started_time) AS n FROM workspace_instance) AS numbered
        WHERE (n + n / $1) % 10 = 0 AND coalesce(stopping_time, '2022-06-01Z') - started_time > interval '1 minute'
    ) AS other
    WHERE w.id = other.id
    RETURNING w.*, other.before, other.at
)
INSERT INTO segment (instance_id, during, attribution_id, workspace_class, quantity)
SELECT changed.id, part.during, changed.attribution_id, part.workspace_class, changed.quantity
FROM changed
CROSS JOIN LATERAL (VALUES
    (tstzrange(changed.started_time, changed.at), changed.before),
    (tstzrange(changed.at, changed.stopping_time), changed.workspace_class)
) AS part (during, workspace_class)
"""
# Every fifth instance of each account was billed by an earlier invoice.
_BILLED_INVOICES = """
INSERT INTO invoice (key, attribution_id, billing_period, reason, subject, state, cutoff, currency, amount, credits,
                     rate_card_digest, billed_at)
SELECT '2022-05/' || attribution_id || '/cancellation/sub_1', attribution_id, '2022-05', 'cancellation', 'sub_1',
       'billed', '2022-06-01Z', 'usd', 1, 1, '', now()
FROM account
"""
_BILLED_LINES = """
INSERT INTO invoice_line (invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,
                          price_per_credit, duration_us, carried_us, credits, amount)
SELECT id, 1, 'default', '2022-01-01Z', 1, false, 1, 1, 0, 1, 1 FROM invoice
"""
_BILLED_CLAIMS = """
INSERT INTO claim (invoice_id, line_no, instance_id, during)
SELECT i.id, 1, w.id, piece
FROM (SELECT *, row_number() OVER (ORDER BY started_time) AS n FROM workspace_instance) AS w
JOIN invoice AS i USING (attribution_id)
JOIN (SELECT attribution_id, range_agg(during) AS windows FROM subscription GROUP BY 1) AS s USING (attribution_id)
CROSS JOIN LATERAL unnest(
    tstzmultirange(tstzrange(w.started_time, least(w.stopping_time, '2022-06-01Z'))) * s.windows
) AS piece
WHERE w.n / $1 % 5 = 0
"""


async def fill(url: str, instances: int, *, segmented: bool = False, an_account: int = INSTANCES_AN_ACCOUNT) -> None:
    """Fill a migrated, empty database: `an_account` instances each, a fifth of the usage already billed.

    With `segmented`, one instance in ten has two segments.
    """
    accounts = max(1, instances // an_account)
    connection = await asyncpg.connect(url)
    try:
        await _fill_accounts(connection, accounts)
        await connection.execute(_INSTANCES, instances, accounts)
        if segmented:
            await connection.execute(_SEGMENTED, accounts)
        await connection.execute(_BILLED_INVOICES)
        await connection.execute(_BILLED_LINES)
        await connection.execute(_BILLED_CLAIMS, accounts)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def fill_accounts(url: str, accounts: int) -> None:
    """Fill a migrated, empty database with accounts and their windows alone."""
    connection = await asyncpg.connect(url)
    try:
        await _fill_accounts(connection, accounts)
    finally:
        await connection.close()


async def _fill_accounts(connection: Any, accounts: int) -> None:
    await connection.execute(_ACCOUNTS, accounts)
    await connection.execute(_WINDOWS, accounts)
