-- name: invoices_in_progress
SELECT key
FROM invoice
WHERE billing_period = :period
  AND state IN ({open})
  AND blocked_since IS NULL
  AND (state <> 'draft' OR finalization = 'at_once' OR finalize_at <= now() OR approved_at IS NOT NULL)
  AND updated_at < now() - INTERVAL '5 seconds'
ORDER BY updated_at, key
LIMIT :most;
