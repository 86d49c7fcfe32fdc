"""The floor: bare SQL that only computes the same billable usage and inserts the same claims."""

from __future__ import annotations

from typing import Any

import asyncpg  # type: ignore[import-untyped]

_CLAIM = """
WITH chargeable AS MATERIALIZED (
    SELECT a.attribution_id, 1000000000 + row_number() OVER () AS invoice_id,
           range_agg(s.during) * tstzmultirange(tstzrange(NULL, '2022-06-01Z')) AS during
    FROM account AS a JOIN subscription AS s USING (attribution_id)
    GROUP BY a.attribution_id
),
claimed AS MATERIALIZED (
    SELECT instance_id, range_agg(during) AS during FROM claim GROUP BY instance_id
),
rate (during) AS (
    VALUES (tstzrange('2022-01-01Z', '2022-05-16Z')), (tstzrange('2022-05-16Z', NULL))
)
INSERT INTO claim (invoice_id, line_no, instance_id, during)
SELECT c.invoice_id, 1, w.id, piece * rate.during
FROM workspace_instance AS w
JOIN chargeable AS c USING (attribution_id)
LEFT JOIN claimed ON claimed.instance_id = w.id
CROSS JOIN LATERAL unnest(
    tstzmultirange(tstzrange(w.started_time, w.stopping_time)) * c.during
    - coalesce(claimed.during, '{}'::tstzmultirange)
) AS piece
JOIN rate ON rate.during && piece
"""
# Until revision 0010 the constraint compared the ids themselves.
_FORMER_CONSTRAINT = """
ALTER TABLE claim
    DROP CONSTRAINT claim_never_twice,
    ADD CONSTRAINT claim_never_twice EXCLUDE USING gist (instance_id WITH =, during WITH &&)
"""
# The same work memory as Perdure's own run; no triggers, because there are no invoices and no lines.
_TUNE = """
SELECT set_config('jit', 'off', false), set_config('work_mem', '64MB', false),
       set_config('session_replication_role', 'replica', false)
"""
_TOTAL = """
SELECT count(*) AS claims,
       coalesce((extract(epoch FROM sum(upper(during) - lower(during))) * 1000000)::bigint, 0) AS duration_us
FROM claim
"""


async def claim(url: str) -> None:
    """Claim the whole period in one statement."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TUNE)
        await connection.execute(_CLAIM)
    finally:
        await connection.close()


async def restore_former_constraint(url: str) -> None:
    """Give the claims the constraint that they had until revision 0010, so that the floor of then can be measured."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_FORMER_CONSTRAINT)
    finally:
        await connection.close()


async def total(url: str) -> tuple[int, int]:
    """Return the number of claims and their total microseconds."""
    connection = await asyncpg.connect(url)
    try:
        row: Any = await connection.fetchrow(_TOTAL)
    finally:
        await connection.close()
    return row["claims"], row["duration_us"]
