-- Few rows each, whatever there is to count: they become metrics with a label for each row.

-- name: limit_time
-- A figure that takes longer is not worth its load; asyncpg's own timeouts would leave the server working on it.
SELECT set_config('statement_timeout', CAST(:milliseconds AS text), true);

-- name: invoices
-- Of the two newest periods all invoices, of older ones those that are open.
WITH last AS MATERIALIZED (
    SELECT max(billing_period) AS period FROM invoice
),
one_before AS MATERIALIZED (
    SELECT max(invoice.billing_period) AS period FROM invoice, last WHERE invoice.billing_period < last.period
),
counted AS (
    SELECT billing_period, state, currency, amount
    FROM invoice
    WHERE billing_period IN ((SELECT period FROM last), (SELECT period FROM one_before))
    UNION ALL
    SELECT billing_period, state, currency, amount
    FROM invoice
    WHERE state IN ({open}) AND billing_period < (SELECT period FROM one_before)
)
SELECT billing_period AS period, state, currency, count(*) AS invoices, CAST(sum(amount) AS bigint) AS amount
FROM counted
GROUP BY billing_period, state, currency
ORDER BY billing_period DESC, state, currency;

-- name: settled
SELECT billing_period AS period, settled_at FROM period_summary ORDER BY billing_period DESC LIMIT :most;

-- name: held
SELECT billing_period AS period FROM period_hold WHERE reason IS NOT NULL ORDER BY billing_period DESC LIMIT :most;

-- name: sources
SELECT s.name, s.complete_up_to, s.read_at, s.failing_since,
       (SELECT count(*) FROM source_fault AS f WHERE f.source = s.name) AS refused
FROM source AS s
WHERE s.removed_at IS NULL
ORDER BY s.name
LIMIT :most;

-- name: arrivals
SELECT count(*) AS waiting, min(received_at) AS since FROM pending_fact;

-- name: events
SELECT max(event_created) AS last_event, max(updated_at) AS read_at,
       CAST(coalesce(sum(undelivered), 0) AS bigint) AS undelivered, max(undelivered_at) AS undelivered_at,
       max(delivered_at) AS delivered_at
FROM stripe_event_cursor;

-- name: audit
-- The newest audit of everything that has ended.
SELECT id, finished_at
FROM audit_run
WHERE billing_period IS NULL AND attribution_id IS NULL AND finished_at IS NOT NULL
ORDER BY started_at DESC, id
LIMIT 1;

-- name: checks
SELECT name, CAST(figures AS text) AS figures, discrepancies FROM audit_check WHERE audit_id = :audit_id ORDER BY name;

-- name: workers
SELECT queue, rate_card_digest, CAST(settings AS text) AS settings FROM worker_settings ORDER BY queue;
