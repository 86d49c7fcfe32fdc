-- name: approve
UPDATE invoice
SET approved_amount = :amount, approved_at = now(), approved_by = :by, updated_at = now()
WHERE id = :id;

-- name: accept
UPDATE invoice
SET accepted_subtotal = found_subtotal, accepted_digest = found_digest, found_subtotal = NULL, found_digest = NULL,
    -- Lines of ours that the accepted invoice lacks are no longer added to it.
    resume_state = CASE WHEN resume_state = 'claimed' AND stripe_invoice_id IS NOT NULL THEN 'draft' ELSE resume_state END,
    drafted_at = CASE WHEN stripe_invoice_id IS NOT NULL THEN coalesce(drafted_at, now()) ELSE drafted_at END
WHERE id = :id;

-- name: rebuild_own
-- The old draft is left in Stripe, and removed when its successor is created under the next generation's keys.
UPDATE invoice
SET state = 'claimed', resume_state = NULL, blocked_reason = NULL, blocked_since = NULL, blocked_kind = NULL,
    found_subtotal = NULL, found_digest = NULL, accepted_subtotal = NULL, accepted_digest = NULL,
    approved_amount = NULL, approved_at = NULL, approved_by = NULL,
    replaces_stripe_invoice_id = coalesce(stripe_invoice_id, replaces_stripe_invoice_id),
    stripe_invoice_id = NULL, stripe_number = NULL, generation = generation + 1, updated_at = now()
WHERE id = :id;

-- name: rebuild_on_subscription
-- The draft is Stripe's own: only our lines on it are rebuilt.
UPDATE invoice
SET state = 'claimed', resume_state = NULL, blocked_reason = NULL, blocked_since = NULL, blocked_kind = NULL,
    found_subtotal = NULL, found_digest = NULL, accepted_subtotal = NULL, accepted_digest = NULL,
    approved_amount = NULL, approved_at = NULL, approved_by = NULL,
    revision = revision + 1, generation = generation + 1, updated_at = now()
WHERE id = :id;

-- name: request_void
UPDATE invoice
SET void_requested_at = coalesce(void_requested_at, now()), void_requested_by = coalesce(void_requested_by, :by),
    void_reason = coalesce(void_reason, :reason),
    written_off = written_off OR :write_off, updated_at = now()
WHERE id = :id;

-- name: withdraw_void
UPDATE invoice
SET void_requested_at = NULL, void_requested_by = NULL, void_reason = NULL, written_off = false
WHERE id = :id;

-- name: write_off
-- The dead invoice claims its released usage again, except what other invoices have claimed since. Time that a
-- correction had cut was no longer on it.
WITH history AS (
    SELECT invoice_id, line_no, instance_id, during, quantity, billed_during
    FROM claim_history
    WHERE invoice_id = :id AND reason <> 'corrected'
),
free AS (
    SELECT h.invoice_id, h.line_no, h.instance_id, piece.during, h.quantity, h.billed_during
    FROM history AS h
    CROSS JOIN LATERAL unnest(
        tstzmultirange(h.during)
        - coalesce((SELECT range_agg(c.during) FROM claim AS c
                    WHERE instance_key(c.instance_id) = instance_key(h.instance_id)),
                   '{}'::tstzmultirange)
    ) AS piece (during)
),
again AS (
    INSERT INTO claim (invoice_id, line_no, instance_id, during, quantity, billed_during)
    SELECT invoice_id, line_no, instance_id, during, quantity, billed_during FROM free ORDER BY instance_id, during
    RETURNING instance_id
)
UPDATE invoice SET written_off = true, updated_at = now() WHERE id = :id
RETURNING (SELECT count(*) FROM again) AS claims;
