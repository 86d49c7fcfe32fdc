-- name: size
-- Pages of the table of instances. Its rows are not known: PostgreSQL's own count is as old as its last ANALYZE.
SELECT pg_relation_size('workspace_instance') / current_setting('block_size')::int AS pages;

-- name: whole
-- All instances, in one page.
{version}
sampled AS MATERIALIZED (
    SELECT CAST(0 AS bigint) AS page, {columns}
    FROM instance_place AS w
),
{by_page};

-- name: sample
-- Every `step`th page of the table, as it is on disk. Instances are stored about in the order in which they started, so
-- that pages at equal distances are a fair sample. Rows are found by their place: a page has rarely more than 128.
{version}
sampled AS MATERIALIZED (
    SELECT CAST((CAST(CAST(w.place AS text) AS point))[0] AS bigint) AS page, {columns}
    FROM instance_place AS w
    WHERE w.place = ANY (ARRAY(
        SELECT CAST('(' || page || ',' || place || ')' AS tid)
        FROM generate_series(CAST(:step AS bigint) / 2, CAST(:pages AS bigint) - 1, CAST(:step AS bigint)) AS page
        CROSS JOIN generate_series(1, 128) AS place
    ))
),
{by_page};

-- name: columns
w.attribution_id, w.quantity, coalesce(nullif(w.workspace_class, ''), :default_class) AS workspace_class,
           w.started_time AS since, least(w.ended_time, CAST(:now AS timestamptz)) AS until

-- name: version
WITH version AS MATERIALIZED (
    SELECT v.version
    FROM worker_settings AS w
    JOIN rate_card AS c ON c.digest = w.rate_card_digest
    CROSS JOIN LATERAL jsonb_array_elements(c.content) AS v (version)
    WHERE w.queue = 'billing' AND CAST(v.version ->> 'effective_from' AS timestamptz) <= :now
    ORDER BY CAST(v.version ->> 'effective_from' AS timestamptz) DESC
    LIMIT 1
),

-- name: by_page
-- By page and currency the cost of usage within [start, now) at the prices in force.
cost AS (
    SELECT s.page, a.currency,
           sum(
               extract(epoch FROM least(upper(a.during), s.until)
                                  - greatest(lower(a.during), s.since, CAST(:start AS timestamptz), own.bill_after,
                                             CAST(:bill_after AS timestamptz))) / 60
               * s.quantity
               * CAST(v.version -> 'credits_per_minute' ->> s.workspace_class AS numeric)
               * CAST(v.version -> 'price_per_credit' ->> a.currency AS numeric)
           ) * CAST(10 AS numeric) ^ currency_decimals(a.currency) AS amount
    FROM sampled AS s
    JOIN account AS own USING (attribution_id)
    JOIN account_window AS a USING (attribution_id)
    CROSS JOIN version AS v
    WHERE s.since < s.until
      AND s.until > :start
      AND coalesce(a.charged, a.kind = ANY (CAST(:charged_kinds AS text[])))
      AND least(upper(a.during), s.until)
          > greatest(lower(a.during), s.since, CAST(:start AS timestamptz), own.bill_after, CAST(:bill_after AS timestamptz))
    GROUP BY s.page, a.currency
)
SELECT page, currency, amount
FROM cost
WHERE amount IS NOT NULL
