-- name: lock_invoice_of_stripe
SELECT id, key, currency FROM invoice WHERE stripe_invoice_id = :stripe_invoice_id FOR UPDATE;

-- name: invoice_of_stripe
SELECT key FROM invoice WHERE stripe_invoice_id = :stripe_invoice_id;

-- name: adopt
-- Our credit notes, by the key in their metadata, get Stripe's state: issued although that was not recorded yet (or the
-- request was even withdrawn), or voided since.
UPDATE credit_note AS n
SET stripe_credit_note_id = given.stripe_credit_note_id,
    issued_at = coalesce(n.issued_at, given.issued_at),
    voided_at = given.voided_at,
    total = coalesce(given.total, n.total),
    blocked_reason = NULL,
    state = CASE WHEN given.voided_at IS NULL THEN 'issued' ELSE 'voided' END
FROM ({given}) AS given
WHERE n.invoice_id = :invoice_id
  AND (n.state <> 'voided' OR n.stripe_credit_note_id IS NULL)
  AND (
      n.stripe_credit_note_id = given.stripe_credit_note_id
      OR n.stripe_credit_note_id IS NULL AND n.key = given.key
  );

-- name: add_unknown
-- A credit note that names a key of ours which this database has lost keeps it: the same request is not issued twice.
INSERT INTO credit_note (
    key, invoice_id, kind, amount, total, currency, settle_to, reason, state, stripe_credit_note_id, requested_at,
    issued_at, voided_at
)
SELECT CASE WHEN given.key IS NULL OR EXISTS (
                SELECT FROM credit_note AS n
                WHERE n.key = given.key AND n.stripe_credit_note_id <> given.stripe_credit_note_id
            )
            THEN given.key_by_id
            ELSE given.key
       END,
       :invoice_id, 'amount', given.amount, given.total, :currency,
       given.settle_to, given.reason, CASE WHEN given.voided_at IS NULL THEN 'issued' ELSE 'voided' END,
       given.stripe_credit_note_id, given.issued_at, given.issued_at, given.voided_at
FROM ({given}) AS given
WHERE given.amount > 0
ON CONFLICT DO NOTHING;

-- name: given
SELECT *
FROM unnest(
    CAST(:stripe_ids AS text[]), CAST(:keys AS text[]), CAST(:keys_by_id AS text[]), CAST(:amounts AS bigint[]),
    CAST(:totals AS bigint[]), CAST(:settle_to AS text[]), CAST(:reasons AS text[]),
    CAST(:issued AS timestamptz[]), CAST(:voided AS timestamptz[])
) AS given (stripe_credit_note_id, key, key_by_id, amount, total, settle_to, reason, issued_at, voided_at)
