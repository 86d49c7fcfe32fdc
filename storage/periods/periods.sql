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
-- the instance is invalid, silent since its last sign, outside every window, in a window of a kind that is not charged,
-- before bill_after, before the first rate. `credits` and `price`: at one version of the rate card; NULL where it has none.
WITH payer AS MATERIALIZED (
    SELECT a.attribution_id, a.currency,
           CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after))
           END AS before,
           coalesce(range_agg(s.during), '{}'::tstzmultirange) AS windows,
           coalesce(range_agg(s.during) FILTER (
               WHERE coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
           ), '{}'::tstzmultirange) AS charged,
           coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'trial'), '{}'::tstzmultirange) AS trial,
           coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'collection_paused'), '{}'::tstzmultirange) AS paused,
           range_agg(s.during) FILTER (
               WHERE coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
           ) * tstzmultirange(tstzrange(greatest(floor.bill_after, CAST(:first_rate AS timestamptz)), NULL)) AS billable
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after
    ) AS floor
    LEFT JOIN account_window AS s USING (attribution_id)
    GROUP BY a.attribution_id, floor.bill_after
),
judged AS (
    SELECT s.instance_id, s.attribution_id, s.quantity, payer.currency,
           CAST(CASE WHEN coalesce(s.workspace_class, '') = '' THEN CAST(:default_rate AS text)
                     ELSE coalesce(CAST(:rates AS jsonb) ->> s.workspace_class, CAST(:other_rate AS text))
                END AS numeric) AS rate,
           payer.before, payer.windows, payer.charged, payer.trial, payer.paused,
           tstzmultirange(s.during * period.during) AS ran,
           CASE WHEN silent.since IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(silent.since, NULL))
           END AS silent,
           CASE WHEN s.fault IS NOT NULL THEN s.fault
                WHEN payer.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(s.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN s.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid
    FROM instance_segment AS s
    CROSS JOIN (
        SELECT tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)) AS during
    ) AS period
    LEFT JOIN payer USING (attribution_id)
    LEFT JOIN source AS o ON o.name = s.last_source
    CROSS JOIN LATERAL (
        SELECT silent_from(
            s.during, s.started_time, s.last_sign, s.last_source, CAST(:end AS timestamptz), o.name,
            o.stale_after, CAST(:api_stale_after AS interval), CAST(:stale_after AS interval),
            CAST(:max_instance_age AS interval)
        ) AS since
    ) AS silent
    WHERE (s.during && period.during
           OR s.fault IS NOT NULL AND (
               period.during @> s.creation_time
               OR period.during @> s.started_time
               OR period.during @> s.ended_time
               OR (s.started_time < :end AND coalesce(s.ended_time > :start, true))
               OR coalesce(s.creation_time, s.started_time, s.ended_time) IS NULL
           ))
      -- Most usage is billable as a whole: no reason applies to it.
      AND (s.fault IS NOT NULL
           OR silent.since IS NOT NULL
           OR (s.during * period.during <@ payer.billable) IS NOT TRUE)
    OFFSET 0  -- judge each segment once, not once per reason
),
reasons AS (
    SELECT judged.instance_id, judged.attribution_id, judged.quantity, judged.currency, judged.rate, found.reason,
           found.during, judged.invalid IS NOT NULL AS always
    FROM judged
    CROSS JOIN LATERAL (
        SELECT judged.invalid AS reason, judged.ran AS during WHERE judged.invalid IS NOT NULL
        UNION ALL
        SELECT 'stale', judged.ran * judged.silent WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'uncovered', judged.ran - judged.silent - judged.windows WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'trial', (judged.ran - judged.silent) * judged.trial - judged.charged WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'collection_paused', (judged.ran - judged.silent) * judged.paused - judged.charged
        WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'before_bill_after', (judged.ran - judged.silent) * judged.charged * judged.before
        WHERE judged.invalid IS NULL
        UNION ALL
        SELECT 'before_first_rate',
               (judged.ran - judged.silent) * judged.charged
               * tstzmultirange(tstzrange(NULL, CAST(:first_rate AS timestamptz))) - judged.before
        WHERE judged.invalid IS NULL
    ) AS found
    WHERE judged.invalid IS NOT NULL OR NOT isempty(found.during)
)
SELECT reasons.instance_id, reasons.attribution_id, reasons.reason,
       CAST(sum(rest.duration_us) AS bigint) AS duration_us,
       CASE WHEN sum(rest.duration_us) > 0 AND bool_and(reasons.rate IS NOT NULL)
            THEN round(sum(rest.duration_us * reasons.quantity * reasons.rate) / 60000000, 6)
       END AS credits,
       reasons.currency, CAST(CAST(:prices AS jsonb) ->> reasons.currency AS numeric) AS price
FROM reasons
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM coalesce(sum(upper(piece) - lower(piece)), interval '0')) * 1000000
                AS bigint) AS duration_us
    FROM unnest(reasons.during - coalesce(
        (SELECT range_agg(c.during) FROM claim AS c WHERE instance_key(c.instance_id) = instance_key(reasons.instance_id)),
        '{}'::tstzmultirange
    )) AS piece
) AS rest
WHERE reasons.always OR rest.duration_us > 0
GROUP BY reasons.instance_id, reasons.attribution_id, reasons.reason, reasons.currency
ORDER BY reasons.instance_id, reasons.reason;

-- name: write_summary
INSERT INTO period_summary (billing_period, summary)
VALUES (:period, CAST(:summary AS jsonb))
ON CONFLICT (billing_period) DO UPDATE SET summary = excluded.summary, settled_at = now();

-- name: forget_reopened
-- Of payers that are no accounts, whose usage no claim reads. A payer that becomes an account has no mark to be lowered.
DELETE FROM reopened_usage AS r
WHERE NOT EXISTS (SELECT FROM account AS a WHERE a.attribution_id = r.attribution_id);

-- name: read_summary
SELECT CAST(summary AS text) AS summary, settled_at FROM period_summary WHERE billing_period = :period;
