-- Everything of one period, for exports: streamed, by one transaction that sees the database at one instant. Amounts are
-- in minor units. Of a dead invoice (voided, deleted), nothing counts: its amount is `dead`, its lines are left out.

-- name: credited
SELECT invoice_id, sum(amount) AS credited FROM credit_note WHERE state = 'issued' GROUP BY invoice_id

-- name: refunded
SELECT invoice_id, sum(amount) AS refunded
FROM refund
WHERE stripe_credit_note_id IS NULL AND status <> ALL (CAST(:vain AS text[]))
GROUP BY invoice_id

-- name: owed_in_stripe
-- A voided invoice keeps these figures, and nobody owes them.
CASE WHEN i.state NOT IN ({dead}) THEN i.stripe_tax END AS stripe_tax,
CASE WHEN i.state NOT IN ({dead}) THEN i.stripe_discount END AS stripe_discount,
CASE WHEN i.state NOT IN ({dead}) THEN i.stripe_total END AS stripe_total

-- name: edited
-- What an edit in Stripe that a person accepted changes of our amount.
CASE WHEN i.state IN ({dead}) THEN 0 ELSE coalesce(i.accepted_subtotal - i.amount, 0) END

-- name: figures
-- By state, without lines, days or single credit notes: what the other sheets are compared with. An invoice that is
-- blocked after its books agreed keeps its days.
SELECT i.state, i.currency, count(*) AS invoices, CAST(sum(i.amount) AS bigint) AS amount,
       CAST(sum(CASE WHEN i.state IN ({dead}) THEN i.amount ELSE 0 END) AS bigint) AS dead,
       CAST(sum({edited}) AS bigint) AS edited,
       CAST(coalesce(sum(n.credited) FILTER (WHERE i.state NOT IN ({dead})), 0) AS bigint) AS credited,
       CAST(coalesce(sum(r.refunded), 0) AS bigint) AS refunded,
       CAST(coalesce(sum(i.amount) FILTER (WHERE coalesce(i.resume_state, i.state) IN ({billed})), 0) AS bigint) AS with_days
FROM invoice AS i
LEFT JOIN ({credited}) AS n ON n.invoice_id = i.id
LEFT JOIN ({refunded}) AS r ON r.invoice_id = i.id
WHERE i.billing_period = :period
GROUP BY i.state, i.currency
ORDER BY i.currency, i.state;

-- name: invoices
SELECT i.key, i.attribution_id, a.name, i.state, i.reason, i.currency, i.amount,
       CASE WHEN i.state IN ({dead}) THEN i.amount ELSE 0 END AS dead,
       {edited} AS edited,
       CASE WHEN i.state IN ({dead}) THEN 0 ELSE CAST(coalesce(n.credited, 0) AS bigint) END AS credited,
       CAST(coalesce(r.refunded, 0) AS bigint) AS refunded,
       {owed_in_stripe},
       i.stripe_number, i.stripe_invoice_id, i.stripe_customer_id,
       i.cutoff, i.claimed_at, i.finalized_at, i.billed_at, i.paid_at, i.voided_at, i.blocked_since, i.blocked_reason,
       i.credits, i.report_id
FROM invoice AS i
JOIN account AS a USING (attribution_id)
LEFT JOIN ({credited}) AS n ON n.invoice_id = i.id
LEFT JOIN ({refunded}) AS r ON r.invoice_id = i.id
WHERE i.billing_period = :period
ORDER BY i.attribution_id, i.key;

-- name: lines
-- After an invoice's lines, one without a number: what an accepted edit in Stripe changes of their sum.
SELECT i.key, i.attribution_id, a.name, i.state, i.currency, l.line_no, l.kind, l.workspace_class, l.rated_as_default,
       l.rate_from, l.duration_us, l.quantity_us, l.carried_us, l.credits_per_minute, l.credits, l.price_per_credit,
       l.tiers, l.correction_key, l.amount
FROM invoice AS i
JOIN account AS a USING (attribution_id)
CROSS JOIN LATERAL (
    SELECT line_no, kind, workspace_class, rated_as_default, rate_from, duration_us,
           coalesce(quantity_us, duration_us) AS quantity_us, carried_us, credits_per_minute, credits, price_per_credit,
           CAST(tiers AS text) AS tiers, correction_key, amount
    FROM invoice_line
    WHERE invoice_id = i.id
    UNION ALL
    SELECT NULL, 'edited', '', false, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, i.accepted_subtotal - i.amount
    WHERE i.accepted_subtotal <> i.amount
) AS l
WHERE i.billing_period = :period AND i.state NOT IN ({dead})
ORDER BY i.attribution_id, i.key, l.line_no NULLS LAST;

-- name: days
-- Of settled invoices alone: others have no days yet.
SELECT d.day, i.key, i.attribution_id, a.name, i.currency, l.line_no, l.kind, l.workspace_class,
       d.duration_us, d.quantity_us, d.credits, d.amount
FROM invoice AS i
JOIN account AS a USING (attribution_id)
JOIN invoice_day AS d ON d.invoice_id = i.id
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
WHERE i.billing_period = :period
ORDER BY i.attribution_id, i.key, d.day, l.line_no;

-- name: credit_notes
SELECT n.key, i.key AS invoice_key, i.attribution_id, a.name, n.state, n.currency, n.amount,
       CASE WHEN n.state = 'issued' AND i.state NOT IN ({dead}) THEN n.amount ELSE 0 END AS counts,
       CASE WHEN n.state = 'issued' AND i.state NOT IN ({dead}) THEN n.total END AS total,
       n.settle_to, n.reason, n.line_no, n.instance_id, n.stripe_credit_note_id, n.requested_at, n.issued_at,
       n.voided_at, n.blocked_reason
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
JOIN account AS a USING (attribution_id)
WHERE i.billing_period = :period
ORDER BY i.attribution_id, n.requested_at, n.id;

-- name: refunds
SELECT r.stripe_refund_id, i.key AS invoice_key, i.attribution_id, a.name, r.status, r.currency, r.amount,
       CASE WHEN r.stripe_credit_note_id IS NULL AND r.status <> ALL (CAST(:vain AS text[])) THEN r.amount ELSE 0
       END AS counts,
       r.stripe_credit_note_id, r.reason, r.created_at
FROM refund AS r
JOIN invoice AS i ON i.id = r.invoice_id
JOIN account AS a USING (attribution_id)
WHERE i.billing_period = :period
ORDER BY i.attribution_id, r.created_at, r.stripe_refund_id;

-- name: disputes
SELECT d.stripe_dispute_id, i.key AS invoice_key, i.attribution_id, a.name, d.status, d.currency, d.amount, d.reason,
       d.opened_at, d.closed_at
FROM dispute AS d
JOIN invoice AS i ON i.id = d.invoice_id
JOIN account AS a USING (attribution_id)
WHERE i.billing_period = :period
ORDER BY i.attribution_id, d.opened_at, d.stripe_dispute_id;

-- name: present
SELECT EXISTS (
           SELECT FROM refund AS r JOIN invoice AS i ON i.id = r.invoice_id WHERE i.billing_period = :period
       ) AS refunds,
       EXISTS (
           SELECT FROM dispute AS d JOIN invoice AS i ON i.id = d.invoice_id WHERE i.billing_period = :period
       ) AS disputes,
       now() AS at;
