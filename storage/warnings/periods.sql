-- name: last_arrival
-- The latest instant that anything is known of.
SELECT max(greatest(started_time, stopping_time, stopped_time, last_sign, seen_at)) FROM workspace_instance;

-- name: newest_period
SELECT max(billing_period) FROM invoice WHERE state NOT IN ({dead});

-- name: newest_summary
SELECT max(billing_period) FROM period_summary;

-- name: above_previous
-- Accounts whose invoices of the period, with those that a run would add, exceed `multiple` times their latest period
-- before.
WITH own AS (
    SELECT attribution_id, currency, sum(amount) AS amount
    FROM (
        SELECT attribution_id, currency, amount
        FROM invoice
        WHERE billing_period = :period AND state NOT IN ({dead})
        UNION ALL
        SELECT *
        FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]), CAST(:amounts AS numeric[]))
    ) AS invoiced (attribution_id, currency, amount)
    WHERE CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id
    GROUP BY attribution_id, currency
),
above AS (
    SELECT :period || '/' || own.attribution_id AS subject, own.currency, own.amount,
           earlier.billing_period AS previous_period, earlier.amount AS previous_amount
    FROM own
    CROSS JOIN LATERAL (
        SELECT i.billing_period, sum(i.amount) AS amount
        FROM invoice AS i
        WHERE i.attribution_id = own.attribution_id
          AND i.currency = own.currency
          AND i.billing_period < :period
          AND i.state NOT IN ({dead})
        GROUP BY i.billing_period
        ORDER BY i.billing_period DESC
        LIMIT 1
    ) AS earlier
    WHERE earlier.amount > 0 AND own.amount > :multiple * earlier.amount
)
SELECT subject, currency, CAST(amount AS bigint) AS amount, previous_period,
       CAST(previous_amount AS bigint) AS previous_amount, count(*) OVER () AS subjects
FROM above
WHERE NOT EXISTS (
    SELECT FROM accepted_warning AS w
    WHERE w.kind = 'above_previous' AND w.subject IN (above.subject, :any_subject)
)
ORDER BY amount / previous_amount DESC, subject
LIMIT :most;

-- name: late_usage
-- Billable usage within [start, end) of accounts whose invoice of the period can take no more, or that have none
-- although the period is settled. Of an account with an outcome (below the minimum, blocked) the run has left usage
-- unbilled, from before the period too: what exceeds that has arrived since.
WITH settled AS (
    SELECT EXISTS (SELECT FROM period_summary WHERE billing_period = :period) AS whole
),
billed AS MATERIALIZED (
    SELECT a.attribution_id, s.currency,
           o.left_us,
           range_agg(s.during) * tstzmultirange(
               tstzrange(greatest(a.bill_after, CAST(:bill_after AS timestamptz), CAST(:first_rate AS timestamptz)), NULL)
               * tstzrange(
                   CASE WHEN o.left_us IS NULL THEN CAST(:start AS timestamptz) END, CAST(:end AS timestamptz)
               )
           ) AS chargeable
    FROM account AS a
    JOIN account_window AS s ON s.attribution_id = a.attribution_id
        AND coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
    LEFT JOIN account_policy AS p ON p.attribution_id = a.attribution_id
    LEFT JOIN account_outcome AS o
        ON (o.billing_period, o.attribution_id, o.currency) = (:period, a.attribution_id, s.currency)
    CROSS JOIN settled
    LEFT JOIN LATERAL (
        SELECT bool_or(i.state IN ('claimed', 'draft')) AS takes_more
        FROM invoice AS i
        WHERE (i.attribution_id, i.currency) = (a.attribution_id, s.currency)
          AND i.billing_period = :period
          AND i.reason = 'period'
          AND i.state NOT IN ({dead})
    ) AS invoiced ON true
    WHERE (CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id)
      AND coalesce(
          NOT invoiced.takes_more,
          settled.whole AND (
              coalesce(p.charge_on, CAST(:charge_on AS text)) = 'own'
              OR (
                  SELECT upper(c.during) - lower(c.during) > CAST(:longest_month AS interval)
                  FROM subscription_cycle AS c
                  WHERE c.attribution_id = a.attribution_id
                  ORDER BY c.during DESC
                  LIMIT 1
              )
          )
      )
      AND (o.attribution_id IS NULL OR o.left_us IS NOT NULL)
    GROUP BY a.attribution_id, s.currency, o.left_us
),
every_claim AS MATERIALIZED (
    -- All are read at once: finding each by its index costs a hundred times as much.
    SELECT instance_id, during FROM claim
),
segment AS MATERIALIZED (
    -- Most runs are on one claim as a whole: none of their usage is late.
    SELECT s.*
    FROM instance_segment AS s
    WHERE s.fault IS NULL
      AND NOT EXISTS (
          SELECT FROM every_claim AS c
          WHERE c.instance_id = s.instance_id AND s.during * tstzrange(NULL, CAST(:end AS timestamptz)) <@ c.during
      )
),
usage AS MATERIALIZED (
    SELECT s.instance_id, s.attribution_id, billed.currency, billed.left_us,
           tstzmultirange(
               s.during * tstzrange(NULL, CAST(:end AS timestamptz)) * tstzrange(NULL, silent_from(
                   s.during, s.started_time, s.last_sign, s.last_source, CAST(:end AS timestamptz), o.name,
                   o.stale_after, CAST(:api_stale_after AS interval), CAST(:stale_after AS interval),
                   CAST(:max_instance_age AS interval)
               ))
           ) * billed.chargeable AS during
    FROM segment AS s
    JOIN billed USING (attribution_id)
    LEFT JOIN source AS o ON o.name = s.last_source
    WHERE (billed.left_us IS NOT NULL OR s.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
),
claimed AS (
    SELECT c.instance_id, range_agg(c.during) AS during
    FROM every_claim AS c
    WHERE c.instance_id IN (SELECT instance_id FROM usage)
      AND c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
    GROUP BY c.instance_id
),
claimed_ever AS (
    SELECT c.instance_id, range_agg(c.during) AS during
    FROM every_claim AS c
    WHERE c.instance_id IN (SELECT instance_id FROM usage WHERE left_us IS NOT NULL)
    GROUP BY c.instance_id
),
late AS (
    SELECT usage.instance_id, usage.attribution_id, usage.currency, usage.left_us,
           CAST(extract(epoch FROM upper(piece) - lower(piece)) * 1000000 AS bigint) AS us
    FROM usage
    LEFT JOIN claimed USING (instance_id)
    LEFT JOIN claimed_ever USING (instance_id)
    CROSS JOIN LATERAL unnest(
        usage.during - coalesce(claimed.during, '{}') - coalesce(claimed_ever.during, '{}')
    ) AS piece
),
more AS (
    SELECT attribution_id, sum(us) - left_us AS us
    FROM late
    WHERE left_us IS NOT NULL
    GROUP BY attribution_id, currency, left_us
    HAVING sum(us) > left_us
)
SELECT count(DISTINCT instance_id) AS instances, count(DISTINCT attribution_id) AS accounts,
       coalesce((array_agg(DISTINCT attribution_id))[1:CAST(:most_named AS int)], '{}') AS named,
       CAST(coalesce(sum(us), 0) AS bigint) AS duration_us,
       (SELECT count(DISTINCT attribution_id) FROM more) AS left_accounts,
       (SELECT CAST(coalesce(sum(us), 0) AS bigint) FROM more) AS left_us
FROM late
WHERE left_us IS NULL;
