-- name: page_bounds
SELECT attribution_id
FROM (
    SELECT attribution_id,
           row_number() OVER (ORDER BY attribution_id) AS number,
           count(*) OVER () AS total
    FROM (
        SELECT attribution_id FROM account WHERE attribution_id > :after ORDER BY attribution_id LIMIT :most
    ) AS next
) AS numbered
WHERE number % CAST(:page_size AS bigint) = 0 OR number = total
ORDER BY attribution_id;

-- name: invoices_by_state
SELECT state, currency, count(*) AS invoices, sum(amount) AS amount,
       min(claimed_at) FILTER (WHERE state IN ({open})) AS oldest_open_since,
       count(*) FILTER (
           WHERE state = 'draft' AND finalization = 'approval' AND approved_amount IS NULL
       ) AS awaiting_approval
FROM invoice
WHERE billing_period = :period
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
GROUP BY state, currency
ORDER BY state, currency;

-- name: outcomes
SELECT outcome, count(*) AS accounts
FROM account_outcome
WHERE billing_period = :period
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
GROUP BY outcome;

-- name: blocked
-- Invoices first: an operator's retry resumes them. Accounts are tried again by the next run.
(
    SELECT key AS subject, blocked_reason AS reason, blocked_since AS since, 0 AS rank
    FROM invoice
    WHERE billing_period = :period
      AND state = 'blocked'
      AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
    ORDER BY blocked_since, key
    LIMIT :limit
)
UNION ALL
(
    SELECT key, 'waits for `perdure invoices approve`', drafted_at, 0
    FROM invoice
    WHERE billing_period = :period
      AND state = 'draft' AND finalization = 'approval' AND approved_amount IS NULL
      AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
    ORDER BY drafted_at, key
    LIMIT :limit
)
UNION ALL
(
    SELECT attribution_id, reason, updated_at, 1
    FROM account_outcome
    WHERE billing_period = :period
      AND outcome = 'blocked'
      AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
    ORDER BY updated_at, attribution_id
    LIMIT :limit
)
ORDER BY rank, since, subject
LIMIT :limit;

-- name: excluded
-- Usage within [start, end) that no invoice will ever bill unless data is corrected, except usage that is claimed all
-- the same (a window or a stop was moved after the usage had been billed). Each instant has one reason, in this order:
-- the instance is invalid, outside every window, before bill_after, before the first rate.
WITH payer AS MATERIALIZED (
    SELECT a.attribution_id,
           CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after))
           END AS before,
           coalesce(range_agg(s.during), '{}'::tstzmultirange) AS windows
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after
    ) AS floor
    LEFT JOIN subscription AS s USING (attribution_id)
    GROUP BY a.attribution_id, floor.bill_after
),
judged AS (
    SELECT w.id, w.attribution_id, payer.before, payer.windows,
           tstzmultirange(
               CASE WHEN w.started_time <= coalesce(w.stopping_time, w.stopped_time, w.started_time)
                    THEN tstzrange(w.started_time, coalesce(w.stopping_time, w.stopped_time)) * period.during
                    ELSE 'empty'
               END
           ) AS ran,
           CASE WHEN w.creation_time IS NULL THEN 'no_creation_time'
                WHEN w.started_time IS NULL THEN 'no_started_time'
                WHEN w.lifetime IS NULL THEN 'ends_before_start'
                WHEN payer.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(w.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN w.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid
    FROM workspace_instance AS w
    CROSS JOIN (
        SELECT tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)) AS during
    ) AS period
    LEFT JOIN payer USING (attribution_id)
    WHERE w.lifetime && period.during
       OR (w.lifetime IS NULL AND (
           period.during @> w.creation_time
           OR period.during @> w.started_time
           OR period.during @> coalesce(w.stopping_time, w.stopped_time)
           OR (w.started_time < :end AND coalesce(coalesce(w.stopping_time, w.stopped_time) > :start, true))
           OR coalesce(w.creation_time, w.started_time, w.stopping_time, w.stopped_time) IS NULL
       ))
    OFFSET 0  -- judge each instance once, not once per reason
),
reasons AS (
    SELECT judged.id, judged.attribution_id, found.reason, found.during, judged.invalid IS NOT NULL AS always
    FROM judged
    CROSS JOIN LATERAL (
        SELECT judged.invalid AS reason, judged.ran AS during WHERE judged.invalid IS NOT NULL
        UNION ALL
        SELECT 'uncovered', judged.ran - judged.windows WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'before_bill_after', judged.ran * judged.windows * judged.before WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'before_first_rate',
               judged.ran * judged.windows * tstzmultirange(tstzrange(NULL, CAST(:first_rate AS timestamptz)))
               - judged.before
        WHERE judged.invalid IS NULL
    ) AS found
    WHERE judged.invalid IS NOT NULL OR NOT isempty(found.during)
)
SELECT reasons.id AS instance_id, reasons.attribution_id, reasons.reason, rest.duration_us
FROM reasons
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM coalesce(sum(upper(piece) - lower(piece)), interval '0')) * 1000000
                AS bigint) AS duration_us
    FROM unnest(reasons.during - coalesce(
        (SELECT range_agg(c.during) FROM claim AS c WHERE c.instance_id = reasons.id), '{}'::tstzmultirange
    )) AS piece
) AS rest
WHERE reasons.always OR rest.duration_us > 0
ORDER BY reasons.id, reasons.reason;

-- name: write_summary
INSERT INTO period_summary (billing_period, summary)
VALUES (:period, CAST(:summary AS jsonb))
ON CONFLICT (billing_period) DO UPDATE SET summary = excluded.summary, settled_at = now();

-- name: read_summary
SELECT CAST(summary AS text) AS summary, settled_at FROM period_summary WHERE billing_period = :period;

-- name: overbilled
-- Usage on live invoices outside the account's current windows, else outside the instance's current runtime: a window
-- or a stop was corrected after the usage had been claimed.
WITH of_invoice AS MATERIALIZED (
    SELECT i.id, i.key, i.attribution_id, coalesce(payer.windows, '{}'::tstzmultirange) AS windows
    FROM invoice AS i
    LEFT JOIN (
        SELECT attribution_id, range_agg(during) AS windows FROM subscription GROUP BY attribution_id
    ) AS payer USING (attribution_id)
    WHERE (CAST(:period AS text) IS NULL OR i.billing_period = :period)
      AND (CAST(:accounts AS text[]) IS NULL OR i.attribution_id = ANY (CAST(:accounts AS text[])))
      AND i.state NOT IN ({dead})
),
beyond AS (
    SELECT c.instance_id, i.attribution_id, i.key, c.during, i.windows,
           tstzmultirange(coalesce(w.lifetime, 'empty')) AS runtime
    FROM of_invoice AS i
    JOIN claim AS c ON c.invoice_id = i.id
    LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
    WHERE NOT c.during <@ i.windows
       OR (c.during <@ w.lifetime) IS NOT TRUE
)
SELECT beyond.instance_id, beyond.attribution_id, beyond.key AS invoice_key, found.reason,
       CAST(extract(epoch FROM sum(upper(piece) - lower(piece))) * 1000000 AS bigint) AS duration_us
FROM beyond
CROSS JOIN LATERAL (
    SELECT 'outside_windows' AS reason, tstzmultirange(beyond.during) - beyond.windows AS during
    UNION ALL
    SELECT 'outside_runtime', tstzmultirange(beyond.during) * beyond.windows - beyond.runtime
) AS found
CROSS JOIN LATERAL unnest(found.during) AS piece
GROUP BY beyond.instance_id, beyond.attribution_id, beyond.key, found.reason
ORDER BY beyond.instance_id, beyond.key, found.reason;
