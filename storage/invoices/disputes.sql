-- name: record
INSERT INTO dispute (stripe_dispute_id, invoice_id, amount, currency, reason, status, opened_at, closed_at)
VALUES (:stripe_dispute_id, :invoice_id, :amount, :currency, :reason, :status, :opened_at, :closed_at)
ON CONFLICT (stripe_dispute_id) DO UPDATE
SET amount = excluded.amount,
    currency = excluded.currency,
    reason = excluded.reason,
    status = excluded.status,
    -- A lost dispute can be appealed: then it is open again. The event says exactly when it was closed, and can arrive
    -- after a fetch that found it closed.
    closed_at = CASE WHEN excluded.closed_at IS NOT NULL THEN least(dispute.closed_at, excluded.closed_at) END,
    updated_at = now();

-- name: of_invoices
SELECT invoice_id, stripe_dispute_id, amount, currency, reason, status, opened_at, closed_at
FROM dispute
WHERE invoice_id = ANY (CAST(:ids AS bigint[]))
ORDER BY invoice_id, opened_at, stripe_dispute_id;

-- name: open_in_period
SELECT count(*)
FROM dispute AS d
JOIN invoice AS i ON i.id = d.invoice_id
WHERE i.billing_period = :period AND d.closed_at IS NULL;
