-- Invoices on their own: their keys, their states, and their places in months.

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, found.key, found.detail

-- name: two_live_invoices
{finding}
FROM (
    SELECT 'two_live_invoices' AS kind, i.attribution_id, min(i.key) AS key,
           count(*) || ' live invoices have the same period, account, reason and subject: '
           || string_agg(i.key, ', ' ORDER BY i.key) AS detail
    FROM invoice AS i
    WHERE {scope} AND i.state NOT IN ({dead})
    GROUP BY i.billing_period, i.attribution_id, i.reason, i.subject
    HAVING count(*) > 1
) AS found
ORDER BY found.key;

-- name: wrong_key
{finding}
FROM (
    SELECT 'wrong_key' AS kind, i.attribution_id, i.key, 'by its other columns its key is ' || named.key AS detail
    FROM invoice AS i
    CROSS JOIN LATERAL (
        SELECT concat_ws('/', i.billing_period, i.attribution_id, i.reason, nullif(i.subject, ''),
                         CASE WHEN i.ordinal > 1 THEN i.ordinal END) AS key
    ) AS named
    WHERE {scope} AND named.key <> i.key
) AS found
ORDER BY found.key;

-- name: inconsistent_state
-- Each state that an invoice passes through leaves an instant behind. A blocked invoice is judged by the state in which
-- it was blocked.
{finding}
FROM (
    SELECT 'inconsistent_state' AS kind, i.attribution_id, i.key,
           'it is ' || i.state || CASE WHEN i.state = 'blocked' THEN ' as ' || at.state ELSE '' END || ', but '
           || odd.what AS detail
    FROM invoice AS i
    CROSS JOIN LATERAL (SELECT coalesce(i.resume_state, i.state) AS state) AS at
    CROSS JOIN LATERAL (
        SELECT nullif(concat_ws(', ',
            CASE WHEN at.state IN ('draft', 'finalized', {billed})
                      AND i.stripe_invoice_id IS NULL THEN 'lacks its stripe_invoice_id' END,
            CASE WHEN at.state IN ('billed', 'paid') AND i.report_id IS NULL THEN 'lacks its report_id' END,
            CASE WHEN at.state = 'draft' AND i.drafted_at IS NULL THEN 'lacks drafted_at' END,
            CASE WHEN at.state IN ('finalized', {billed}) AND i.finalized_at IS NULL
                 THEN 'lacks finalized_at' END,
            CASE WHEN at.state = 'billed' AND i.billed_at IS NULL THEN 'lacks billed_at' END,
            CASE WHEN at.state = 'paid' AND i.paid_at IS NULL THEN 'lacks paid_at' END,
            CASE WHEN at.state = 'paid' AND i.billed_at IS NULL AND i.uncollectible_at IS NULL
                 THEN 'was never billed' END,
            CASE WHEN at.state = 'uncollectible' AND i.uncollectible_at IS NULL THEN 'lacks uncollectible_at' END,
            CASE WHEN at.state IN ({dead}) AND i.voided_at IS NULL THEN 'lacks voided_at' END,
            CASE WHEN at.state IN ({open}) AND i.billed_at IS NOT NULL THEN 'has billed_at' END,
            CASE WHEN at.state <> 'paid' AND i.paid_at IS NOT NULL THEN 'has paid_at' END,
            CASE WHEN at.state NOT IN ({dead}) AND i.voided_at IS NOT NULL THEN 'has voided_at' END
        ), '') AS what
    ) AS odd
    WHERE {scope} AND odd.what IS NOT NULL
) AS found
ORDER BY found.key;

-- name: places
-- Where prices depend on the month, the places that live invoices hold in it are adjacent. If two overlap, the same
-- free credits, or the same tier, were used twice. Above a gap, too much was charged, unless the gap was freed later:
-- by an invoice that died, or that was amended or corrected.
{finding}
FROM (
    WITH concerned AS MATERIALIZED (
        SELECT DISTINCT i.attribution_id, m.month
        FROM invoice AS i
        JOIN invoice_month AS m ON m.invoice_id = i.id
        WHERE {scope}
    ),
    taken AS (
        SELECT i.attribution_id, i.key, m.month, m.position, m.credits,
               coalesce(max(m.position + m.credits) OVER earlier, 0) AS free_from,
               lag(i.key) OVER earlier AS before_it
        FROM concerned
        JOIN invoice AS i USING (attribution_id)
        JOIN invoice_month AS m ON m.invoice_id = i.id AND m.month = concerned.month
        WHERE i.state NOT IN ({dead})
        WINDOW earlier AS (
            PARTITION BY i.attribution_id, m.month ORDER BY m.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
    )
    SELECT CASE WHEN t.position < t.free_from THEN 'month_overlap' ELSE 'month_hole' END AS kind, t.attribution_id, t.key,
           'in ' || t.month || ' it holds ' || trim_scale(t.credits) || ' credits from place ' || trim_scale(t.position)
           || ' on, '
           || CASE WHEN t.position < t.free_from
                   THEN 'but all places below ' || trim_scale(t.free_from) || ' are held, also by ' || t.before_it
                   ELSE 'but the places from ' || trim_scale(t.free_from) || ' on were free'
              END AS detail,
           t.month, t.position
    FROM taken AS t
    WHERE t.position < t.free_from
       OR t.position > t.free_from AND NOT EXISTS (
           SELECT
           FROM invoice AS i
           JOIN invoice_month AS m ON m.invoice_id = i.id AND m.month = t.month
           WHERE i.attribution_id = t.attribution_id
           HAVING EXISTS (
                   SELECT FROM correction AS c
                   JOIN invoice AS corrected ON corrected.id = c.invoice_id
                   WHERE corrected.attribution_id = t.attribution_id
               )
               OR bool_or(i.revision > 1)
               OR range_agg(numrange(m.position, m.position + m.credits)) FILTER (WHERE i.state IN ({dead}))
                  @> numrange(t.free_from, t.position)
       )
) AS found
ORDER BY found.key, found.month, found.position;

-- name: month_credits
{finding}
FROM (
    SELECT 'month_credits_differ' AS kind, i.attribution_id, i.key,
           'it bills ' || trim_scale(bill.credits) || ' credits, but its places in months total '
           || trim_scale(m.credits) AS detail
    FROM invoice AS i
    JOIN (SELECT invoice_id, sum(credits) AS credits FROM invoice_month GROUP BY invoice_id) AS m ON m.invoice_id = i.id
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (
                SELECT coalesce(sum(l.credits), 0)
                FROM correction AS c
                LEFT JOIN correction_line AS l ON l.correction_id = c.id
                WHERE c.invoice_id = i.id
                GROUP BY c.ordinal
                ORDER BY c.ordinal DESC
                LIMIT 1
            ),
            i.credits
        ) AS credits
    ) AS bill
    WHERE {scope} AND m.credits <> bill.credits
) AS found
ORDER BY found.key;
