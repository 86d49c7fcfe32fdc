-- name: of_invoices
SELECT c.invoice_id, c.key, i.key AS invoice_key, c.ordinal, c.rate_card_digest, c.repriced, c.amount, c.net,
       c.currency, c.reason, c.recorded_at, a.amount AS adjustment, a.state AS adjustment_state,
       charging.key AS charged_on,
       coalesce((
           SELECT array_agg(n.key ORDER BY n.id) FROM credit_note AS n WHERE n.correction_id = c.id
       ), '{}') AS credit_notes,
       (
           SELECT CAST(json_agg(l ORDER BY l.line_no) AS text)
           FROM (
               SELECT line_no, workspace_class, rate_from, credits_per_minute, rated_as_default, price_per_credit,
                      duration_us, quantity_us, 0 AS carried_us, credits, amount, kind, tiers, step
               FROM correction_line
               WHERE correction_id = c.id
           ) AS l
       ) AS lines
FROM correction AS c
JOIN invoice AS i ON i.id = c.invoice_id
LEFT JOIN adjustment AS a ON a.correction_id = c.id
LEFT JOIN invoice AS charging ON charging.id = a.invoice_id
WHERE c.invoice_id = ANY (CAST(:invoice_ids AS bigint[]))
ORDER BY c.invoice_id, c.ordinal;
