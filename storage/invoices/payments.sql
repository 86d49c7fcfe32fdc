-- name: paid_invoice
-- One step creates, finalizes and charges an invoice before its id is recorded. An invoice that has an id is known by it
-- alone: what a person refunds of a second one in Stripe that names its key is not ours.
SELECT id, key, attribution_id, billing_period
FROM invoice
WHERE stripe_invoice_id = ANY (CAST(:stripe_invoice_ids AS text[]))
   OR (stripe_invoice_id IS NULL AND key = ANY (CAST(:keys AS text[])))
ORDER BY stripe_invoice_id IS NULL, key
LIMIT 1;
