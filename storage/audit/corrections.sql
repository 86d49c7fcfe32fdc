-- Corrections compared with claims, credit notes and adjustments.

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, found.key, found.detail

-- name: last
-- The last correction of each invoice that lives: what the customer owes for its usage.
last AS MATERIALIZED (
    SELECT DISTINCT ON (c.invoice_id)
           c.invoice_id, c.id, c.ordinal, c.amount, c.recorded_at, i.key, i.attribution_id
    FROM correction AS c
    JOIN invoice AS i ON i.id = c.invoice_id
    WHERE {scope} AND i.state NOT IN ({dead})
    ORDER BY c.invoice_id, c.ordinal DESC
)

-- name: claims
-- By class, because a correction at another rate card can have other versions than the lines that claims are on.
{finding}
FROM (
    WITH {last},
    corrected AS (
        SELECT last.invoice_id, l.workspace_class, sum(l.duration_us) AS duration_us,
               sum(coalesce(l.quantity_us, l.duration_us)) AS quantity_us
        FROM last
        JOIN correction_line AS l ON l.correction_id = last.id
        WHERE l.kind = 'usage'
        GROUP BY last.invoice_id, l.workspace_class
    ),
    claimed AS (
        SELECT part.invoice_id, part.workspace_class, sum(part.us) AS duration_us,
               sum(part.us * part.quantity) AS quantity_us
        FROM (
            SELECT c.invoice_id, coalesce(c.corrected_class, l.workspace_class) AS workspace_class,
                   extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000 AS us,
                   coalesce(c.corrected_quantity, c.quantity) AS quantity
            FROM claim AS c
            JOIN invoice_line AS l USING (invoice_id, line_no)
            WHERE c.invoice_id IN (SELECT invoice_id FROM last)
        ) AS part
        GROUP BY part.invoice_id, part.workspace_class
    )
    SELECT 'correction_differs_from_claims' AS kind, last.attribution_id, last.key,
           'its correction ' || last.ordinal || ' has ' || coalesce(b.duration_us, 0) || ' us of class '
           || workspace_class || ' (times quantity ' || trim_scale(coalesce(b.quantity_us, 0)) || '), but its claims '
           || trim_scale(coalesce(c.duration_us, 0)) || ' us (' || trim_scale(coalesce(c.quantity_us, 0)) || ')'
           AS detail
    FROM corrected AS b
    FULL JOIN claimed AS c USING (invoice_id, workspace_class)
    JOIN last USING (invoice_id)
    WHERE (b.duration_us, b.quantity_us) IS DISTINCT FROM (c.duration_us, c.quantity_us)
    ORDER BY last.key, workspace_class
) AS found;

-- name: amounts
-- What the customer was charged for the invoice's usage, less what was credited up to the last correction, is the bill
-- as corrected. A credit note that is refused, or voided later, gives nothing back. What people have credited since
-- then is their decision.
{finding}
FROM (
    WITH {last},
    charge AS (
        SELECT last.invoice_id, a.amount, a.state, l.invoice_id AS charged_on, l.line_no
        FROM last
        JOIN correction AS c ON c.invoice_id = last.invoice_id
        JOIN adjustment AS a ON a.correction_id = c.id AND a.state <> 'withdrawn'
        LEFT JOIN invoice_line AS l ON (l.invoice_id, l.correction_key) = (a.invoice_id, c.key)
    )
    SELECT 'correction_differs' AS kind, last.attribution_id, last.key,
           'by its correction ' || last.ordinal || ' the customer owes ' || last.amount
           || ' minor units for its usage, but was charged ' || billed.amount
           || CASE WHEN charged.amount <> 0 THEN ', with an adjustment ' || billed.amount + charged.amount ELSE '' END
           || ' and credited ' || credited.amount + credited_elsewhere.amount AS detail
    FROM last
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(l.amount), 0) AS amount
        FROM invoice_line AS l
        WHERE l.invoice_id = last.invoice_id AND l.kind <> 'adjustment'
    ) AS billed
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(h.amount), 0) AS amount FROM charge AS h WHERE h.invoice_id = last.invoice_id
    ) AS charged
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(n.amount - on_adjustments.amount), 0) AS amount
        FROM credit_note AS n
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(p.amount), 0) AS amount
            FROM credit_note_line AS p
            JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (n.invoice_id, p.line_no) AND l.kind = 'adjustment'
            WHERE p.credit_note_id = n.id
        ) AS on_adjustments
        WHERE n.invoice_id = last.invoice_id
          AND n.state IN ({live_credits})
          AND n.requested_at <= last.recorded_at
    ) AS credited
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.amount), 0) AS amount
        FROM charge AS h
        JOIN credit_note AS n ON n.invoice_id = h.charged_on
        JOIN credit_note_line AS p ON (p.credit_note_id, p.line_no) = (n.id, h.line_no)
        WHERE h.invoice_id = last.invoice_id
          AND n.state IN ({live_credits})
          AND n.requested_at <= last.recorded_at
    ) AS credited_elsewhere
    WHERE billed.amount + charged.amount - credited.amount - credited_elsewhere.amount <> last.amount
    ORDER BY last.key
) AS found;

-- name: adjustments
-- An adjustment is charged by the line that names its correction, on an invoice that lives or was written off, and no
-- such line is without its adjustment. One of an invoice that is dead is withdrawn: its usage is billed again.
{finding}
FROM (
    SELECT 'adjustment_differs' AS kind, i.attribution_id, i.key,
           CASE WHEN l.line_no IS NULL THEN 'it lacks the line for the ' || a.amount
                     || ' minor units that ' || c.key || ' charges on it'
                WHEN a.id IS NULL THEN 'its line ' || l.line_no || ' charges ' || l.amount || ' minor units for '
                     || l.correction_key || ', which charges nothing on this invoice'
                WHEN l.amount <> a.amount THEN 'its line ' || l.line_no || ' charges ' || l.amount
                     || ' minor units, but the adjustment of ' || c.key || ' is ' || a.amount
                ELSE 'it is ' || i.state || ', but the adjustment of ' || c.key || ' counts as charged on it'
           END AS detail
    FROM (
        SELECT invoice_id, line_no, amount, correction_key FROM invoice_line WHERE kind = 'adjustment'
    ) AS l
    FULL JOIN (
        SELECT a.id, a.invoice_id, a.amount, c.key
        FROM adjustment AS a
        JOIN correction AS c ON c.id = a.correction_id
        WHERE a.state = 'charged'
    ) AS a ON (a.invoice_id, a.key) = (l.invoice_id, l.correction_key)
    LEFT JOIN correction AS c ON c.key = coalesce(a.key, l.correction_key)
    JOIN invoice AS i ON i.id = coalesce(l.invoice_id, a.invoice_id)
    WHERE {scope}
      AND CASE WHEN i.state NOT IN ({dead}) THEN (l.amount = a.amount) IS NOT TRUE
               ELSE a.id IS NOT NULL AND NOT i.written_off
          END
    UNION ALL
    SELECT 'adjustment_differs', i.attribution_id, i.key,
           'it is ' || i.state || ', so its usage is billed again, but the adjustment of ' || c.key || ' ('
           || a.amount || ' minor units) is ' || a.state
    FROM adjustment AS a
    JOIN correction AS c ON c.id = a.correction_id
    JOIN invoice AS i ON i.id = c.invoice_id
    WHERE {scope} AND i.state IN ({dead}) AND a.state = 'waiting'
    UNION ALL
    SELECT 'adjustment_differs', i.attribution_id, i.key,
           'it is ' || i.state || ', but ' || a.amount - credited.amount || ' minor units of the adjustment of ' || c.key
           || ' are still charged on ' || charging.key
    FROM adjustment AS a
    JOIN correction AS c ON c.id = a.correction_id
    JOIN invoice AS i ON i.id = c.invoice_id
    JOIN invoice AS charging ON charging.id = a.invoice_id
    JOIN invoice_line AS l ON (l.invoice_id, l.correction_key) = (charging.id, c.key)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.amount), 0) AS amount
        FROM credit_note AS n
        JOIN credit_note_line AS p ON p.credit_note_id = n.id
        WHERE (n.invoice_id, p.line_no) = (l.invoice_id, l.line_no) AND n.state IN ({live_credits})
    ) AS credited
    WHERE {scope} AND i.state IN ({dead}) AND charging.state NOT IN ({dead}) AND a.amount > credited.amount
    ORDER BY key, detail
) AS found;

-- name: figures
SELECT count(*) AS corrections
FROM correction AS c
JOIN invoice AS i ON i.id = c.invoice_id
WHERE {scope};
