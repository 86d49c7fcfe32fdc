-- The days of settled invoices compared with claims and lines, and the sums by period with the days.

-- name: create_days
-- The claims of settled invoices by UTC day, computed by the intersection of ranges; settlement compares instants.
CREATE TEMPORARY TABLE audit_day ON COMMIT DROP AS
SELECT part.invoice_id, part.line_no, part.day,
       CAST(sum(extract(epoch FROM part.time)) * 1000000 AS bigint) AS duration_us,
       sum(extract(epoch FROM part.time) * 1000000 * part.quantity) AS quantity_us
FROM (
    SELECT c.invoice_id, c.line_no, c.quantity, day.number AS day,
           sum(upper(c.during * day.range) - lower(c.during * day.range)) AS time
    FROM ({audit/lines.as_billed}) AS c
    JOIN invoice AS i ON i.id = c.invoice_id
    CROSS JOIN LATERAL (
        SELECT d.number,
               tstzrange(CAST(d.number AS timestamp) AT TIME ZONE 'UTC', CAST(d.number + 1 AS timestamp) AT TIME ZONE 'UTC')
               AS range
        FROM (
            SELECT CAST(lower(c.during) AT TIME ZONE 'UTC' AS date) + n AS number
            FROM generate_series(
                0, CAST(upper(c.during) AT TIME ZONE 'UTC' AS date) - CAST(lower(c.during) AT TIME ZONE 'UTC' AS date)
            ) AS n
        ) AS d
    ) AS day
    WHERE {scope}
      AND {settled}
      AND c.during && day.range
    GROUP BY c.invoice_id, c.line_no, c.quantity, day.number
) AS part
GROUP BY part.invoice_id, part.line_no, part.day;

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: settled
coalesce(i.resume_state, i.state) IN ({billed})

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, NULL, found.key, found.detail

-- name: missing
{finding}
FROM (
    SELECT 'days_missing' AS kind, i.attribution_id, i.key, 'it is ' || i.state || ', but has no usage by day' AS detail
    FROM invoice AS i
    WHERE {scope}
      AND {settled}
      AND NOT EXISTS (SELECT FROM invoice_day AS d WHERE d.invoice_id = i.id)
      AND EXISTS (SELECT FROM audit_day AS c WHERE c.invoice_id = i.id)
    ORDER BY i.key
) AS found;

-- name: claims
{finding}
FROM (
    SELECT 'days_differ_from_claims' AS kind, i.attribution_id, i.key,
           'line ' || one.line_no || ': on ' || one.day || ' (days that differ: ' || one.days || ') it has '
           || one.days_us || ' us, ' || trim_scale(one.days_quantity) || ' us times quantity, but its claims '
           || one.claims_us || ' us, ' || trim_scale(one.claims_quantity) || ' us times quantity' AS detail
    FROM (
        SELECT invoice_id, line_no, day,
               coalesce(d.duration_us, 0) AS days_us, coalesce(d.quantity_us, 0) AS days_quantity,
               coalesce(c.duration_us, 0) AS claims_us, coalesce(c.quantity_us, 0) AS claims_quantity,
               count(*) OVER line AS days, row_number() OVER (line ORDER BY day) AS place
        FROM (
            SELECT d.invoice_id, d.line_no, d.day, d.duration_us, d.quantity_us
            FROM invoice_day AS d
            JOIN invoice AS i ON i.id = d.invoice_id
            JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
            WHERE {scope}
              AND {settled}
              AND l.kind = 'usage'
        ) AS d
        FULL JOIN audit_day AS c USING (invoice_id, line_no, day)
        WHERE (d.duration_us, d.quantity_us) IS DISTINCT FROM (c.duration_us, c.quantity_us)
          AND EXISTS (SELECT FROM invoice_day AS own WHERE own.invoice_id = coalesce(d.invoice_id, c.invoice_id))
        WINDOW line AS (PARTITION BY invoice_id, line_no)
    ) AS one
    JOIN invoice AS i ON i.id = one.invoice_id
    WHERE one.place = 1
    ORDER BY i.key, one.line_no
) AS found;

-- name: lines
-- The days of a line add up to its credits and amount, and no day of usage is a whole unit away from its share.
{finding}
FROM (
    SELECT 'days_differ_from_line' AS kind, i.attribution_id, i.key,
           'line ' || l.line_no || CASE
               WHEN d.amount <> l.amount OR d.credits <> l.credits
               THEN ' has ' || trim_scale(l.credits) || ' credits and an amount of ' || l.amount || ', but its days '
                    || trim_scale(d.credits) || ' and ' || d.amount
               ELSE ' is not shared out over its days by their usage'
           END AS detail
    FROM invoice AS i
    JOIN invoice_line AS l ON l.invoice_id = i.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(d.amount), 0) AS amount, coalesce(sum(d.credits), 0) AS credits,
               bool_or(
                   abs(d.amount - l.amount * d.quantity_us / coalesce(l.quantity_us, l.duration_us)) >= l.step
                   OR abs(d.credits - l.credits * d.quantity_us / coalesce(l.quantity_us, l.duration_us)) >= 0.000001
               ) FILTER (WHERE l.duration_us > 0) AS wrong
        FROM invoice_day AS d
        WHERE (d.invoice_id, d.line_no) = (l.invoice_id, l.line_no)
    ) AS d
    WHERE {scope}
      AND {settled}
      AND EXISTS (SELECT FROM invoice_day AS own WHERE own.invoice_id = i.id)
      AND (d.amount <> l.amount OR d.credits <> l.credits OR d.wrong)
    ORDER BY i.key, l.line_no
) AS found;

-- name: unsettled
{finding}
FROM (
    SELECT 'days_of_unsettled_invoice' AS kind, i.attribution_id, i.key,
           CASE WHEN i.id IS NULL THEN 'the invoice (id ' || d.invoice_id || ') does not exist' ELSE 'it is ' || i.state END
           || ', but has usage by day (days: ' || d.days || ')' AS detail
    FROM (SELECT invoice_id, count(DISTINCT day) AS days FROM invoice_day GROUP BY invoice_id) AS d
    LEFT JOIN invoice AS i ON i.id = d.invoice_id
    WHERE ({settled}) IS NOT TRUE
      AND {scope}
    ORDER BY i.key, d.invoice_id
) AS found;

-- name: sums
-- Of all accounts together.
{finding}
FROM (
    SELECT 'sums_by_day_differ' AS kind, CAST(NULL AS text) AS attribution_id, CAST(NULL AS text) AS key,
           billing_period || ', ' || currency || ', class ' || coalesce(nullif(workspace_class, ''), 'none') || ', ' || day
           || ': the sum is ' || coalesce(p.amount, 0) || ', but the days of its invoices ' || coalesce(again.amount, 0)
           || ' (amount in minor units, or their time differs)' AS detail
    FROM (
        SELECT i.billing_period, i.currency, l.workspace_class, d.day, count(*) AS invoice_days,
               sum(d.duration_us) AS duration_us, sum(d.quantity_us) AS quantity_us, sum(d.credits) AS credits,
               sum(d.amount) AS amount
        FROM invoice_day AS d
        JOIN invoice AS i ON i.id = d.invoice_id
        JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
        WHERE NOT EXISTS (SELECT FROM period_day_pending AS w WHERE w.invoice_id = d.invoice_id)
        GROUP BY i.billing_period, i.currency, l.workspace_class, d.day
    ) AS again
    FULL JOIN period_day AS p USING (billing_period, currency, workspace_class, day)
    WHERE (p.invoice_days, p.duration_us, p.quantity_us, p.credits, p.amount)
          IS DISTINCT FROM
          (again.invoice_days, again.duration_us, again.quantity_us, again.credits, again.amount)
      AND CAST(:attribution_id AS text) IS NULL
      AND (CAST(:period AS text) IS NULL OR billing_period = :period)
    ORDER BY billing_period, currency, workspace_class, day
    LIMIT 100
) AS found;
