-- name: paid_invoice
SELECT id, key, attribution_id, billing_period
FROM invoice
WHERE stripe_invoice_id = ANY (CAST(:stripe_invoice_ids AS text[]))
ORDER BY key
LIMIT 1;
