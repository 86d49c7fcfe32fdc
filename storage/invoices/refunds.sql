-- name: record
INSERT INTO refund
    (stripe_refund_id, invoice_id, stripe_credit_note_id, amount, currency, status, reason, created_at)
VALUES (:stripe_refund_id, :invoice_id, :stripe_credit_note_id, :amount, :currency, :status, :reason, :created_at)
ON CONFLICT (stripe_refund_id) DO UPDATE
SET stripe_credit_note_id = coalesce(excluded.stripe_credit_note_id, refund.stripe_credit_note_id),
    amount = excluded.amount,
    status = excluded.status,
    reason = excluded.reason,
    updated_at = now();

-- name: link_credit_notes
-- A person can attach a refund to a credit note that is made later.
UPDATE refund AS r
SET stripe_credit_note_id = given.stripe_credit_note_id,
    updated_at = now()
FROM unnest(CAST(:refunds AS text[]), CAST(:notes AS text[])) AS given (stripe_refund_id, stripe_credit_note_id)
WHERE r.invoice_id = :invoice_id
  AND r.stripe_refund_id = given.stripe_refund_id
  AND r.stripe_credit_note_id IS DISTINCT FROM given.stripe_credit_note_id;

-- name: of_invoices
SELECT invoice_id, stripe_refund_id, stripe_credit_note_id, amount, currency, status, reason, created_at
FROM refund
WHERE invoice_id = ANY (CAST(:ids AS bigint[]))
ORDER BY invoice_id, created_at, stripe_refund_id;

-- name: refunded_of_period
SELECT r.currency, sum(r.amount) AS amount
FROM refund AS r
JOIN invoice AS i ON i.id = r.invoice_id
WHERE i.billing_period = :period
  AND r.stripe_credit_note_id IS NULL
  AND r.status <> ALL (CAST(:vain AS text[]))
GROUP BY r.currency
ORDER BY r.currency;
