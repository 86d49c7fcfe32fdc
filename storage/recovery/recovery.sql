-- name: key_of_report
SELECT key FROM invoice WHERE report_id = :report_id ORDER BY key LIMIT 1;

-- name: reports
SELECT key, report_id
FROM invoice
WHERE report_id IS NOT NULL
  AND key > :after
  AND (CAST(:period AS text) IS NULL OR billing_period = :period)
ORDER BY key
LIMIT :limit;

-- name: lock_account
SELECT currency FROM account WHERE attribution_id = :attribution_id FOR UPDATE;

-- name: link
-- The invoice is in Stripe already: the next generation searches for it, and posts nothing under a key that Stripe
-- might not know.
UPDATE invoice
SET stripe_invoice_id = :stripe_invoice_id, stripe_customer_id = coalesce(:stripe_customer_id, stripe_customer_id),
    generation = generation + 1, updated_at = now()
WHERE id = :id;

-- name: live_predecessors
-- A later ordinal exists only because these invoices are dead.
SELECT id, key, state, written_off
FROM invoice
WHERE (billing_period, attribution_id, reason, subject) = (:period, :attribution_id, :reason, :subject)
  AND ordinal < :ordinal
  AND state NOT IN ({dead});

-- name: bury
UPDATE invoice
SET state = 'deleted', voided_at = now(), blocked_reason = NULL, blocked_since = NULL, blocked_kind = NULL,
    resume_state = NULL, updated_at = now()
WHERE id = :id;

-- name: adopt_new
INSERT INTO invoice (
    key, attribution_id, billing_period, reason, subject, ordinal, generation, state, cutoff, currency, amount, credits,
    rate_card_digest, stripe_customer_id, report_id, stripe_invoice_id, charge_on, finalization, finalize_at, voided_at,
    service_start
)
VALUES (
    :key, :attribution_id, :period, :reason, :subject, :ordinal, 2, :state, :cutoff, :currency, :amount, :credits,
    :rate_card_digest, :stripe_customer_id, :report_id, :stripe_invoice_id, :charge_on, :finalization,
    CASE WHEN :finalization = 'grace' THEN now() + CAST(:grace AS interval) END,
    CASE WHEN :state = 'voided' THEN now() END,
    CAST(:service_start AS timestamptz)
)
RETURNING id;

-- name: adopt_known
-- An approval stays only if the amount is the same: otherwise it was given for another amount.
UPDATE invoice
SET state = :state, cutoff = :cutoff, service_start = CAST(:service_start AS timestamptz), amount = :amount, credits = :credits, rate_card_digest = :rate_card_digest,
    report_id = :report_id, stripe_invoice_id = :stripe_invoice_id,
    stripe_customer_id = coalesce(:stripe_customer_id, stripe_customer_id),
    generation = generation + 1,
    approved_at = CASE WHEN approved_amount = :amount THEN approved_at END,
    approved_by = CASE WHEN approved_amount = :amount THEN approved_by END,
    approved_amount = CASE WHEN approved_amount = :amount THEN approved_amount END,
    accepted_subtotal = NULL, accepted_digest = NULL, found_subtotal = NULL, found_digest = NULL,
    blocked_reason = NULL, blocked_since = NULL, blocked_kind = NULL, resume_state = NULL,
    finalized_at = NULL, billed_at = NULL, uncollectible_at = NULL,
    voided_at = CASE WHEN :state = 'voided' THEN now() END,
    updated_at = now()
WHERE id = :id;

-- name: gather
INSERT INTO page_usage (attribution_id, currency, instance_id, workspace_class, rate_from, month, quantity, during)
SELECT :attribution_id, :currency, u.instance_id, u.workspace_class, u.rate_from, u.month, u.quantity,
       tstzrange(u.since, u.until)
FROM unnest(
    CAST(:instances AS text[]), CAST(:classes AS text[]), CAST(:rates_from AS timestamptz[]), CAST(:months AS text[]),
    CAST(:quantities AS numeric[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[])
) AS u (instance_id, workspace_class, rate_from, month, quantity, since, until);

-- name: insert_released
INSERT INTO claim_history (invoice_id, line_no, instance_id, during, quantity, reason)
SELECT l.invoice_id, l.line_no, u.instance_id, u.during, u.quantity, 'voided'
FROM invoice_line AS l
JOIN page_usage AS u ON (u.workspace_class, u.rate_from) = (l.workspace_class, l.rate_from)
WHERE l.invoice_id = :id AND l.kind = 'usage'
ORDER BY l.line_no, u.instance_id, u.during;

-- name: open_invoices
-- Invoices with work left: of any month and any reason, and those that a person wants voided.
SELECT key, state, attribution_id, billing_period
FROM invoice
WHERE state IN ({open})
   OR void_requested_at IS NOT NULL AND state NOT IN ({dead}) AND state <> 'paid'
ORDER BY key;

-- name: open_credit_notes
SELECT n.key, n.state, i.attribution_id, i.billing_period
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.state IN ({pending_credits})
ORDER BY n.key;

-- name: blocked_subscriptions
SELECT stripe_subscription_id FROM subscription_fault ORDER BY stripe_subscription_id;

-- name: unsettled_periods
-- Periods whose run has not settled: held, or with invoices of the run that are open or newer than its last settlement.
SELECT billing_period FROM period_hold WHERE reason IS NOT NULL
UNION
SELECT i.billing_period
FROM invoice AS i
LEFT JOIN period_summary AS s USING (billing_period)
WHERE i.reason = 'period' AND (s.settled_at IS NULL OR i.claimed_at > s.settled_at OR i.state IN ({open}))
ORDER BY billing_period;

-- name: oldest_open
SELECT min(claimed_at) FROM invoice WHERE state IN ({open});

-- name: rewind_cursor
UPDATE stripe_event_cursor SET event_id = '' WHERE name = :name;
