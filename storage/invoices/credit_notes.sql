-- name: columns
n.id, n.key, i.key AS invoice_key, n.invoice_id, n.kind, n.line_no, n.instance_id, n.amount, n.total, n.currency,
n.settle_to, n.reason, n.state, n.blocked_reason, n.stripe_credit_note_id, i.stripe_invoice_id, n.generation, n.requested_at,
n.issued_at, n.voided_at, i.attribution_id,
(SELECT name FROM account AS payer WHERE payer.attribution_id = i.attribution_id) AS account_name,
(
    SELECT array_agg(p.line_no ORDER BY p.line_no) FROM credit_note_line AS p WHERE p.credit_note_id = n.id
) AS line_nos,
(
    SELECT array_agg(p.amount ORDER BY p.line_no) FROM credit_note_line AS p WHERE p.credit_note_id = n.id
) AS line_amounts

-- name: load
SELECT {columns} FROM credit_note AS n JOIN invoice AS i ON i.id = n.invoice_id WHERE n.key = :key;

-- name: of_invoices
SELECT {columns}
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.invoice_id = ANY (CAST(:ids AS bigint[]))
ORDER BY n.invoice_id, n.requested_at, n.key;

-- name: list
SELECT {columns}
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.id > :after
  AND (CAST(:period AS text) IS NULL OR i.billing_period = :period)
  AND (CAST(:state AS text) IS NULL OR n.state = :state)
ORDER BY n.id
LIMIT :limit;

-- name: live_total
SELECT CAST(coalesce(sum(amount), 0) AS bigint)
FROM credit_note
WHERE invoice_id = :invoice_id AND state IN ({live_credits});

-- name: lines_left
-- The rest of each line, after the parts of live credits.
SELECT l.line_no, CAST(l.amount - coalesce(sum(p.amount), 0) AS bigint) AS left
FROM invoice_line AS l
LEFT JOIN (
    SELECT n.invoice_id, p.line_no, p.amount
    FROM credit_note AS n
    JOIN credit_note_line AS p ON p.credit_note_id = n.id
    WHERE n.state IN ({live_credits})
) AS p ON (p.invoice_id, p.line_no) = (l.invoice_id, l.line_no)
WHERE l.invoice_id = :invoice_id
GROUP BY l.line_no, l.amount
ORDER BY l.line_no;

-- name: shares
-- An instance's time on each line of an invoice, times its quantity.
SELECT l.line_no, l.credits_per_minute, l.price_per_credit,
       sum(extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000 * c.quantity) AS quantity_us
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
  AND n.state IN ({live_credits})
GROUP BY p.line_no;

-- name: insert
INSERT INTO credit_note (
    key, invoice_id, kind, line_no, instance_id, amount, currency, settle_to, reason, state, correction_id
)
VALUES (
    :key, :invoice_id, :kind, CAST(:line_no AS smallint), CAST(:instance_id AS text), :amount, :currency, :settle_to,
    :reason, 'requested', CAST(:correction_id AS bigint)
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
SET state = 'issued', blocked_reason = NULL, stripe_credit_note_id = :stripe_credit_note_id, issued_at = :at,
    total = coalesce(CAST(:total AS bigint), total)
WHERE key = :key;

-- name: set_blocked
UPDATE credit_note SET state = 'blocked', blocked_reason = :reason WHERE key = :key;

-- name: resume
-- Stripe keeps a refusal under its idempotency key: the next generation posts under a new one. What was credited since
-- the refusal may leave too little: then it stays blocked, for that reason.
UPDATE credit_note
SET state = CASE WHEN CAST(:reason AS text) IS NULL THEN 'requested' ELSE 'blocked' END,
    blocked_reason = :reason,
    generation = generation + 1
WHERE key = :key AND state = 'blocked';

-- name: requested_before
-- The newest credit note that is still to reach Stripe before this one, if this one leaves nothing of its invoice.
SELECT earlier.key
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
JOIN credit_note AS earlier ON earlier.invoice_id = n.invoice_id AND earlier.id < n.id AND earlier.state = 'requested'
WHERE n.key = :key
  AND n.state = 'requested'
  AND i.amount <= (
      SELECT sum(live.amount)
      FROM credit_note AS live
      WHERE live.invoice_id = n.invoice_id AND live.state IN ({live_credits})
  )
ORDER BY earlier.id DESC
LIMIT 1;

-- name: withdraw
UPDATE credit_note SET state = 'voided', blocked_reason = NULL, voided_at = now() WHERE key = :key AND state = 'blocked';

-- name: credited
-- Issued credit notes of the period's live invoices.
SELECT n.currency, CAST(sum(n.amount) AS bigint) AS amount
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE i.billing_period = :period AND n.state = 'issued' AND i.state NOT IN ({dead})
GROUP BY n.currency
ORDER BY n.currency;

-- name: blocked
SELECT {columns}
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE i.billing_period = :period AND n.state = 'blocked'
ORDER BY n.requested_at, n.key
LIMIT 100;
