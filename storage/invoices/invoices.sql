-- name: columns
id, key, attribution_id, billing_period, reason, subject, ordinal, generation, state, blocked_reason, blocked_since,
resume_state, cutoff, currency, amount, credits, rate_card_digest, stripe_customer_id, report_id,
stripe_invoice_id, claimed_at, drafted_at, finalized_at, billed_at, paid_at, uncollectible_at, voided_at,
updated_at, charge_on, finalization, finalize_at, revision, blocked_kind, approved_amount, approved_at, approved_by,
found_subtotal, found_digest, accepted_subtotal, accepted_digest, replaces_stripe_invoice_id, void_requested_at,
void_requested_by, void_reason, written_off, payment_attempts, payment_failed_at, service_start,
stripe_total, stripe_discount, stripe_tax, collection_stopped_at, stripe_number,
(SELECT name FROM account AS payer WHERE payer.attribution_id = invoice.attribution_id) AS account_name,
EXISTS (SELECT FROM collection_pause AS p WHERE p.attribution_id = invoice.attribution_id) AS account_has_pauses, {lines}

-- name: lines
(
    SELECT CAST(json_agg(l ORDER BY l.line_no) AS text)
    FROM (
        SELECT line_no, workspace_class, rate_from, credits_per_minute, rated_as_default, price_per_credit, duration_us,
               nullif(quantity_us, duration_us) AS quantity_us, carried_us, credits, amount, kind, tiers, step,
               correction_key
        FROM invoice_line
        WHERE invoice_id = invoice.id
    ) AS l
) AS lines

-- name: load
SELECT {columns} FROM invoice WHERE key = :key;

-- name: with_claims
-- An invoice with the totals of its live claims by line, in one snapshot. Once it is billed they are not needed.
-- `version` changes with every change of the row.
SELECT {columns}, CAST(xmin AS text) AS version,
       CASE WHEN state IN ({open}) THEN (
           SELECT CAST(json_agg(line) AS text)
           FROM (
               {claims_by_line}
           ) AS line
       ) END AS claimed
FROM invoice
WHERE key = :key;

-- name: key_of_stripe_invoice
SELECT key
FROM invoice
WHERE stripe_invoice_id = :stripe_invoice_id OR replaces_stripe_invoice_id = :stripe_invoice_id
ORDER BY stripe_invoice_id = :stripe_invoice_id DESC NULLS LAST
LIMIT 1;

-- name: list
SELECT {columns}
FROM invoice
WHERE key > :after
  AND (CAST(:period AS text) IS NULL OR billing_period = :period)
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
  AND (CAST(:state AS text) IS NULL OR state = :state)
ORDER BY key
LIMIT :limit;

-- name: newest
SELECT {columns}
FROM invoice
WHERE attribution_id = :attribution_id
ORDER BY claimed_at DESC, key DESC
LIMIT :limit;

-- name: of_stripe
SELECT {columns}
FROM invoice
WHERE key = ANY (CAST(:keys AS text[])) OR stripe_invoice_id = ANY (CAST(:stripe_ids AS text[]));

-- name: with_reports
-- Invoices whose report is in the report store, or should be, dead ones included.
SELECT {columns}
FROM invoice
WHERE (report_id IS NOT NULL OR coalesce(resume_state, state) NOT IN ('claimed', {dead}))
  AND key > :after
  AND (CAST(:period AS text) IS NULL OR billing_period = :period)
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
ORDER BY key
LIMIT :limit;

-- name: lines_of
SELECT {lines} FROM invoice WHERE id = :id;

-- name: without_report
SELECT {columns}
FROM invoice
WHERE key = ANY (CAST(:keys AS text[]))
  AND report_id IS NULL AND stripe_invoice_id IS NULL AND state = 'claimed' AND charge_on = 'own'
ORDER BY key;

-- name: unsettled_keys
SELECT key
FROM invoice
WHERE billing_period = :period
  AND attribution_id > :after
  AND (CAST(:through AS text) IS NULL OR attribution_id <= :through)
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
  AND state IN ({open})
ORDER BY key;

-- name: locked_columns
id, state, resume_state, stripe_invoice_id, report_id, amount, currency, charge_on, finalization, blocked_kind,
approved_amount, found_subtotal, accepted_subtotal, replaces_stripe_invoice_id, written_off, attribution_id,
void_requested_at, revision

-- name: lock
SELECT {locked_columns} FROM invoice WHERE key = :key FOR UPDATE;

-- name: seen
SELECT {locked_columns} FROM invoice WHERE key = :key;

-- name: set_report
UPDATE invoice SET report_id = :report_id, updated_at = now() WHERE id = :id;

-- name: set_draft
UPDATE invoice
SET stripe_invoice_id = :stripe_invoice_id,
    stripe_customer_id = :stripe_customer_id,
    state = :state,
    drafted_at = coalesce(drafted_at, now()),
    updated_at = now()
WHERE id = :id;

-- name: set_state
UPDATE invoice
SET state = :state,
    blocked_reason = NULL,
    blocked_since = NULL,
    blocked_kind = NULL,
    resume_state = NULL,
    drafted_at = CASE WHEN :column = 'drafted_at' THEN :at ELSE drafted_at END,
    finalized_at = CASE WHEN :column = 'finalized_at' THEN :at ELSE finalized_at END,
    billed_at = CASE WHEN :column = 'billed_at' THEN :at ELSE billed_at END,
    paid_at = CASE WHEN :column = 'paid_at' THEN :at ELSE paid_at END,
    uncollectible_at = CASE WHEN :column = 'uncollectible_at' THEN :at ELSE uncollectible_at END,
    voided_at = CASE WHEN :column = 'voided_at' THEN :at ELSE voided_at END,
    updated_at = now()
WHERE id = :id;

-- name: block
UPDATE invoice
SET resume_state = CASE WHEN state = 'blocked' THEN resume_state ELSE state END,
    blocked_since = coalesce(blocked_since, now()),
    blocked_reason = :reason,
    blocked_kind = :kind,
    found_subtotal = CAST(:found_subtotal AS bigint),
    found_digest = CAST(:found_digest AS text),
    state = 'blocked',
    updated_at = now()
WHERE id = :id;

-- name: set_stripe_invoice
UPDATE invoice
SET stripe_invoice_id = :stripe_invoice_id, stripe_customer_id = coalesce(:stripe_customer_id, stripe_customer_id)
WHERE id = :id AND 'claimed' IN (state, resume_state);

-- name: resume
-- Stripe keeps a refusal under its idempotency keys: the next generation posts under new ones.
UPDATE invoice
SET generation = generation + 1, state = resume_state, resume_state = NULL, blocked_reason = NULL,
    blocked_since = NULL, blocked_kind = NULL,
    found_subtotal = NULL, found_digest = NULL, updated_at = now()
WHERE id = :id;

-- name: lock_account
SELECT stripe_customer_id FROM account WHERE attribution_id = :attribution_id FOR UPDATE;

-- name: set_customer
UPDATE account SET stripe_customer_id = :stripe_customer_id WHERE attribution_id = :attribution_id;

-- name: set_customer_of_invoices
UPDATE invoice
SET stripe_customer_id = :stripe_customer_id, updated_at = now()
WHERE attribution_id = :attribution_id
  AND stripe_customer_id IS NULL
  AND state IN ({open});

-- name: claims_by_line
-- As they were billed: with the time that a correction has cut from them, which `during` of the rest leaves out.
{sums_by_line}
LEFT JOIN (
    SELECT line_no, instance_id, during, quantity, billed_during
    FROM claim
    WHERE invoice_id = (SELECT id FROM invoice WHERE key = :key)
    UNION ALL
    SELECT line_no, instance_id, during, quantity, billed_during
    FROM claim_history
    WHERE invoice_id = (SELECT id FROM invoice WHERE key = :key) AND reason = 'corrected'
) AS c ON c.line_no = l.line_no
{by_line};

-- name: released_by_line
{sums_by_line}
LEFT JOIN claim_history AS c ON (c.invoice_id, c.line_no) = (l.invoice_id, l.line_no)
{by_line};

-- name: sums_by_line
SELECT l.line_no,
       CAST(extract(epoch FROM coalesce(sum(upper(c.during) - lower(c.during)), interval '0')) * 1000000
            AS bigint) AS duration_us,
       coalesce(sum(extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000 * c.quantity), 0) AS quantity_us,
       count(c.instance_id) FILTER (WHERE c.billed_during IS NULL OR lower(c.during) = lower(c.billed_during)) AS claims
FROM invoice AS i
JOIN invoice_line AS l ON l.invoice_id = i.id

-- name: by_line
WHERE i.key = :key
GROUP BY l.line_no
ORDER BY l.line_no

-- name: waiting_for_currency
SELECT key
FROM invoice
WHERE attribution_id = :attribution_id AND state = 'blocked' AND blocked_kind = 'currency'
ORDER BY key;

-- name: waiting_for_currency_of
SELECT key
FROM invoice
JOIN account USING (attribution_id)
WHERE account.stripe_customer_id = ANY (CAST(:customers AS text[])) AND state = 'blocked' AND blocked_kind = 'currency'
ORDER BY key;

-- name: set_stripe_total
UPDATE invoice
SET stripe_total = :total, stripe_discount = :discount, stripe_tax = :tax, updated_at = now()
WHERE id = :id
  AND (stripe_total, stripe_discount, stripe_tax) IS DISTINCT FROM
      (CAST(:total AS bigint), CAST(:discount AS bigint), CAST(:tax AS bigint));
