-- name: in_scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
  AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: customers
SELECT stripe_customer_id
FROM account
WHERE attribution_id = :attribution_id AND stripe_customer_id IS NOT NULL
UNION
SELECT stripe_customer_id
FROM invoice
WHERE attribution_id = :attribution_id AND stripe_customer_id IS NOT NULL
ORDER BY 1;

-- name: first_invoice
-- No invoice in Stripe is older than its cutoff.
SELECT min(least(cutoff, claimed_at)) FROM invoice;

-- name: known_accounts
SELECT attribution_id, stripe_customer_id
FROM account
WHERE attribution_id = ANY (CAST(:attribution_ids AS text[]))
   OR stripe_customer_id = ANY (CAST(:customers AS text[]));

-- name: former_customers
SELECT DISTINCT attribution_id, stripe_customer_id
FROM invoice
WHERE stripe_customer_id = ANY (CAST(:customers AS text[]));

-- name: stage
INSERT INTO audit_stripe_invoice (audit_id, stripe_invoice_id, invoice_key, status, stripe_customer_id, suspect)
VALUES (:audit_id, :stripe_invoice_id, :invoice_key, :status, :stripe_customer_id, :suspect)
ON CONFLICT (audit_id, stripe_invoice_id) DO UPDATE
SET invoice_key = excluded.invoice_key, status = excluded.status,
    stripe_customer_id = coalesce(excluded.stripe_customer_id, audit_stripe_invoice.stripe_customer_id),
    suspect = excluded.suspect;

-- name: mark_missing
INSERT INTO audit_stripe_invoice (audit_id, stripe_invoice_id, invoice_key, status, stripe_customer_id, suspect)
SELECT :audit_id, i.stripe_invoice_id, i.key, 'deleted', i.stripe_customer_id, true
FROM invoice AS i
WHERE i.stripe_invoice_id IS NOT NULL
  AND i.state NOT IN ({dead})
  AND {in_scope}
ON CONFLICT (audit_id, stripe_invoice_id) DO NOTHING;

-- name: suspects
SELECT stripe_invoice_id, invoice_key, stripe_customer_id
FROM audit_stripe_invoice
WHERE audit_id = :audit_id AND suspect AND stripe_invoice_id > :after
ORDER BY stripe_invoice_id
LIMIT :limit;

-- name: expected
SELECT count(*)
FROM invoice AS i
WHERE i.stripe_invoice_id IS NOT NULL AND i.state NOT IN ({dead}) AND {in_scope};

-- name: forget_staged
DELETE FROM audit_stripe_invoice WHERE audit_id = :audit_id;

-- name: forget_staged_notes
DELETE FROM audit_stripe_credit_note WHERE audit_id = :audit_id;

-- name: clear_notes
DELETE FROM audit_stripe_credit_note WHERE audit_id = :audit_id AND stripe_invoice_id = :stripe_invoice_id;

-- name: stage_note
INSERT INTO audit_stripe_credit_note
    (audit_id, stripe_credit_note_id, stripe_invoice_id, credit_note_key, amount, total, voided)
VALUES (:audit_id, :stripe_credit_note_id, :stripe_invoice_id, :credit_note_key, :amount, CAST(:total AS bigint), :voided)
ON CONFLICT (audit_id, stripe_credit_note_id) DO UPDATE
SET credit_note_key = excluded.credit_note_key, amount = excluded.amount, total = excluded.total,
    voided = excluded.voided;

-- name: notes_that_differ
-- Our credit notes compared with Stripe's, by Stripe's id. A requested credit note can be in Stripe already. Credit
-- notes that are voided on both sides, or that credit nothing, do not matter.
SELECT *
FROM (
    SELECT i.key AS invoice_key, i.attribution_id, i.stripe_invoice_id, n.key AS credit_note_key, n.state, i.currency,
           n.stripe_credit_note_id, n.amount AS ours, s.amount AS theirs, n.total AS our_total, s.total AS their_total, s.voided,
           s.stripe_invoice_id AS found_on, greatest(n.requested_at, n.issued_at, n.voided_at) AS changed_at
    FROM credit_note AS n
    JOIN invoice AS i ON i.id = n.invoice_id
    LEFT JOIN audit_stripe_credit_note AS s
        ON s.audit_id = :audit_id AND s.stripe_credit_note_id = n.stripe_credit_note_id
    WHERE n.stripe_credit_note_id IS NOT NULL
      AND {in_scope}
      AND CASE
          WHEN s.stripe_credit_note_id IS NULL THEN n.state = 'issued'
          ELSE s.amount <> n.amount
               OR s.total <> n.total
               OR s.stripe_invoice_id <> i.stripe_invoice_id
               OR s.voided <> (n.state = 'voided')
      END
    UNION ALL
    SELECT i.key, i.attribution_id, i.stripe_invoice_id, s.credit_note_key, NULL, i.currency, s.stripe_credit_note_id,
           NULL, s.amount, NULL, s.total, s.voided, s.stripe_invoice_id, NULL
    FROM audit_stripe_credit_note AS s
    JOIN invoice AS i ON i.stripe_invoice_id = s.stripe_invoice_id
    WHERE s.audit_id = :audit_id
      AND NOT s.voided
      AND s.amount > 0
      AND {in_scope}
      AND NOT EXISTS (SELECT FROM credit_note AS n WHERE n.stripe_credit_note_id = s.stripe_credit_note_id)
      AND NOT EXISTS (SELECT FROM credit_note AS n WHERE n.key = s.credit_note_key AND n.state = 'requested')
) AS differing
WHERE stripe_invoice_id > :after
  AND (CAST(:stripe_invoice_id AS text) IS NULL OR stripe_invoice_id = :stripe_invoice_id)
ORDER BY stripe_invoice_id, stripe_credit_note_id
LIMIT :limit;

-- name: note_figures
SELECT
    (SELECT count(*)
     FROM credit_note AS n
     JOIN invoice AS i ON i.id = n.invoice_id
     WHERE n.state = 'issued' AND {in_scope}) AS issued,
    (SELECT count(*)
     FROM audit_stripe_credit_note AS s
     JOIN invoice AS i ON i.stripe_invoice_id = s.stripe_invoice_id
     WHERE s.audit_id = :audit_id AND NOT s.voided AND {in_scope}) AS in_stripe,
    (SELECT count(*)
     FROM refund AS r
     JOIN invoice AS i ON i.id = r.invoice_id
     WHERE r.stripe_credit_note_id IS NULL
       AND r.status NOT IN ('failed', 'canceled')
       AND {in_scope}) AS refunds_without_note;
