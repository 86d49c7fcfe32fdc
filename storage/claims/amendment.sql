-- name: amendable
-- Drafts that wait by their policy: they can still bill late usage.
SELECT key
FROM invoice
WHERE billing_period = :period
  AND attribution_id > :after
  AND (CAST(:through AS text) IS NULL OR attribution_id <= :through)
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
  AND state = 'draft'
  AND finalization <> 'at_once'
  AND approved_amount IS NULL
ORDER BY key;

-- name: amend
UPDATE invoice
SET amount = :amount, credits = :credits, rate_card_digest = :rate_card_digest,
    revision = revision + 1, report_id = NULL,
    state = CASE WHEN :hold = '' THEN 'claimed' ELSE 'blocked' END,
    resume_state = CASE WHEN :hold <> '' THEN 'claimed' END,
    blocked_kind = CASE WHEN :hold <> '' THEN 'limit' END,
    blocked_reason = nullif(:hold, ''),
    blocked_since = CASE WHEN :hold <> '' THEN now() END,
    updated_at = now()
WHERE id = :id;

-- name: fit
-- The same usage, rounded again: another report and other lines, so that what was approved no longer counts.
UPDATE invoice
SET amount = :amount, revision = revision + 1, report_id = NULL, resume_state = 'claimed',
    blocked_reason = blocked_reason || '; ' || CAST(:rounded AS text),
    approved_amount = NULL, approved_at = NULL, approved_by = NULL,
    updated_at = now()
WHERE id = :id;
