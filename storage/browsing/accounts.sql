-- name: last_invoices
-- The newest live invoice of each of these accounts.
SELECT whose.attribution_id, i.key, i.billing_period, i.state, i.currency, i.amount
FROM unnest(CAST(:accounts AS text[])) AS whose (attribution_id)
CROSS JOIN LATERAL (
    SELECT * FROM invoice
    WHERE invoice.attribution_id = whose.attribution_id AND state NOT IN ({dead})
    ORDER BY id DESC
    LIMIT 1
) AS i;
