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
-- An instance's time on each line of an invoice, times its quantity, at the line's prices. If its last correction prices
-- some of the time lower, that price counts: the difference is credited already. Of what was cut, nothing is owed.
WITH corrected AS (
    SELECT l.workspace_class, l.credits_per_minute, l.price_per_credit,
           tstzrange(l.rate_from, lead(l.rate_from) OVER (PARTITION BY l.workspace_class ORDER BY l.rate_from)) AS during
    FROM correction_line AS l
    WHERE l.kind = 'usage'
      AND l.correction_id = (
          SELECT id FROM correction WHERE invoice_id = :invoice_id ORDER BY ordinal DESC LIMIT 1
      )
),
claimed AS (
    SELECT line_no, during, quantity, corrected_class, corrected_quantity
    FROM claim
    WHERE invoice_id = :invoice_id AND instance_id = :instance_id
    UNION ALL
    SELECT line_no, CAST('empty' AS tstzrange), quantity, NULL, NULL
    FROM claim_history
    WHERE invoice_id = :invoice_id AND instance_id = :instance_id AND reason = 'corrected'
)
SELECT l.line_no, owed.credits_per_minute, owed.price_per_credit,
       coalesce(sum(extract(epoch FROM upper(owed.during) - lower(owed.during)) * 1000000 * owed.quantity), 0)
           AS quantity_us
FROM claimed AS c
JOIN invoice_line AS l ON l.invoice_id = :invoice_id AND l.line_no = c.line_no
LEFT JOIN corrected AS k ON k.workspace_class = coalesce(c.corrected_class, l.workspace_class) AND k.during && c.during
CROSS JOIN LATERAL (
    SELECT priced.*, coalesce(c.during * k.during, c.during) AS during
    FROM (
        VALUES (l.credits_per_minute, l.price_per_credit, c.quantity),
               (k.credits_per_minute, k.price_per_credit, coalesce(c.corrected_quantity, c.quantity))
    ) AS priced (credits_per_minute, price_per_credit, quantity)
    ORDER BY credits_per_minute * price_per_credit * quantity
    LIMIT 1
) AS owed
GROUP BY l.line_no, owed.credits_per_minute, owed.price_per_credit
ORDER BY l.line_no, owed.credits_per_minute, owed.price_per_credit;

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
