-- name: columns
n.id, n.key, i.key AS invoice_key, n.invoice_id, n.kind, n.line_no, n.instance_id, n.amount, n.currency, n.settle_to,
n.reason, n.state, n.blocked_reason, n.stripe_credit_note_id, i.stripe_invoice_id, n.generation, n.requested_at,
n.issued_at, n.voided_at,
(
    SELECT array_agg(p.line_no ORDER BY p.line_no) FROM credit_note_line AS p WHERE p.credit_note_id = n.id
) AS line_nos,
(
    SELECT array_agg(p.amount ORDER BY p.line_no) FROM credit_note_line AS p WHERE p.credit_note_id = n.id
) AS line_amounts

-- name: lock_invoice
SELECT id, state, currency, amount FROM invoice WHERE key = :key FOR UPDATE;

-- name: lock_invoice_of_stripe
SELECT id, key, currency FROM invoice WHERE stripe_invoice_id = :stripe_invoice_id FOR UPDATE;

-- name: invoice_of_stripe
SELECT key FROM invoice WHERE stripe_invoice_id = :stripe_invoice_id;

-- name: load
SELECT {columns} FROM credit_note AS n JOIN invoice AS i ON i.id = n.invoice_id WHERE n.key = :key;

-- name: of_invoices
SELECT {columns}
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.invoice_id = ANY (CAST(:ids AS bigint[]))
ORDER BY n.invoice_id, n.requested_at, n.key;

-- name: live_total
SELECT CAST(coalesce(sum(amount), 0) AS bigint)
FROM credit_note
WHERE invoice_id = :invoice_id AND state IN ('requested', 'issued', 'blocked');

-- name: lines_left
-- What is left of each line after the live credits of lines and instances.
SELECT l.line_no, CAST(l.amount - coalesce(sum(p.amount), 0) AS bigint) AS left
FROM invoice_line AS l
LEFT JOIN (
    SELECT n.invoice_id, p.line_no, p.amount
    FROM credit_note AS n
    JOIN credit_note_line AS p ON p.credit_note_id = n.id
    WHERE n.state IN ('requested', 'issued', 'blocked')
) AS p ON (p.invoice_id, p.line_no) = (l.invoice_id, l.line_no)
WHERE l.invoice_id = :invoice_id
GROUP BY l.line_no, l.amount
ORDER BY l.line_no;

-- name: shares
-- An instance's time on each line of an invoice.
SELECT l.line_no, l.credits_per_minute, l.price_per_credit,
       CAST(extract(epoch FROM sum(upper(c.during) - lower(c.during))) * 1000000 AS bigint) AS duration_us
FROM claim AS c
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)
WHERE c.invoice_id = :invoice_id AND c.instance_id = :instance_id
GROUP BY l.line_no, l.credits_per_minute, l.price_per_credit
ORDER BY l.line_no;

-- name: credited_of_instance
SELECT p.line_no, CAST(sum(p.amount) AS bigint) AS amount
FROM credit_note AS n
JOIN credit_note_line AS p ON p.credit_note_id = n.id
WHERE n.invoice_id = :invoice_id
  AND n.instance_id = :instance_id
  AND n.state IN ('requested', 'issued', 'blocked')
GROUP BY p.line_no;

-- name: insert
INSERT INTO credit_note (key, invoice_id, kind, line_no, instance_id, amount, currency, settle_to, reason, state)
VALUES (
    :key, :invoice_id, :kind, CAST(:line_no AS smallint), CAST(:instance_id AS text), :amount, :currency, :settle_to,
    :reason, 'requested'
)
RETURNING id;

-- name: insert_lines
INSERT INTO credit_note_line (credit_note_id, line_no, amount)
SELECT :id, part.*
FROM unnest(CAST(:line_nos AS smallint[]), CAST(:amounts AS bigint[])) AS part;

-- name: lock
SELECT state, stripe_credit_note_id FROM credit_note WHERE key = :key FOR UPDATE;

-- name: set_issued
UPDATE credit_note
SET state = 'issued', blocked_reason = NULL, stripe_credit_note_id = :stripe_credit_note_id, issued_at = :at
WHERE key = :key;

-- name: set_blocked
UPDATE credit_note SET state = 'blocked', blocked_reason = :reason WHERE key = :key;

-- name: resume
-- What Stripe refused is kept under its idempotency key: the next generation asks under a new one.
UPDATE credit_note
SET state = 'requested', blocked_reason = NULL, generation = generation + 1
WHERE key = :key AND state = 'blocked';

-- name: withdraw
UPDATE credit_note SET state = 'voided', blocked_reason = NULL, voided_at = now() WHERE key = :key AND state = 'blocked';

-- name: take_over
-- Ours, as their metadata says, in step with Stripe: issued though nobody said so yet (or it was even withdrawn), or
-- voided since.
UPDATE credit_note AS n
SET stripe_credit_note_id = given.stripe_credit_note_id,
    issued_at = coalesce(n.issued_at, given.issued_at),
    voided_at = given.voided_at,
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
-- One that names a key of ours which this database has lost keeps it, so that the same wish is not granted again.
INSERT INTO credit_note (
    key, invoice_id, kind, amount, currency, settle_to, reason, state, stripe_credit_note_id, requested_at, issued_at,
    voided_at
)
SELECT CASE WHEN given.key IS NULL OR EXISTS (
                SELECT FROM credit_note AS n
                WHERE n.key = given.key AND n.stripe_credit_note_id <> given.stripe_credit_note_id
            )
            THEN given.key_by_id
            ELSE given.key
       END,
       :invoice_id, 'amount', given.amount, :currency,
       given.settle_to, given.reason, CASE WHEN given.voided_at IS NULL THEN 'issued' ELSE 'voided' END,
       given.stripe_credit_note_id, given.issued_at, given.issued_at, given.voided_at
FROM ({given}) AS given
WHERE given.amount > 0
ON CONFLICT DO NOTHING;

-- name: given
SELECT *
FROM unnest(
    CAST(:stripe_ids AS text[]), CAST(:keys AS text[]), CAST(:keys_by_id AS text[]), CAST(:amounts AS bigint[]),
    CAST(:settle_to AS text[]), CAST(:reasons AS text[]), CAST(:issued AS timestamptz[]), CAST(:voided AS timestamptz[])
) AS given (stripe_credit_note_id, key, key_by_id, amount, settle_to, reason, issued_at, voided_at)

-- name: credited
-- Of a period's invoices that are not voided or deleted: what is issued.
SELECT n.currency, CAST(sum(n.amount) AS bigint) AS amount
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE i.billing_period = :period AND n.state = 'issued' AND i.state NOT IN ('voided', 'deleted')
GROUP BY n.currency
ORDER BY n.currency;

-- name: blocked
SELECT {columns}
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE i.billing_period = :period AND n.state = 'blocked'
ORDER BY n.requested_at, n.key
LIMIT 100;
