-- name: record
UPDATE invoice
SET payment_attempts = :attempts,
    payment_failed_at = CASE WHEN CAST(:failed AS boolean) THEN coalesce(payment_failed_at, now()) END,
    collection_stopped_at = CASE WHEN CAST(:stopped AS boolean) THEN coalesce(collection_stopped_at, now()) END,
    updated_at = now()
WHERE id = :id
  AND (payment_attempts, payment_failed_at IS NOT NULL, collection_stopped_at IS NOT NULL)
      IS DISTINCT FROM (:attempts, CAST(:failed AS boolean), CAST(:stopped AS boolean));

-- name: not_collected
SELECT key, collection_stopped_at
FROM invoice
WHERE billing_period = :period AND collection_stopped_at IS NOT NULL AND state NOT IN ({dead})
ORDER BY key;
