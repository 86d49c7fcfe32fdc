-- name: paused_subscription
SELECT stripe_subscription_id
FROM collection_pause
WHERE attribution_id = :attribution_id
ORDER BY stripe_subscription_id
LIMIT 1;

-- name: record
INSERT INTO collection_pause AS known (stripe_subscription_id, attribution_id, behavior, since, resumes_at)
VALUES (
    :stripe_subscription_id, :attribution_id, :behavior, CAST(:since AS timestamptz), CAST(:resumes_at AS timestamptz)
)
ON CONFLICT (stripe_subscription_id) DO UPDATE
SET behavior = excluded.behavior,
    since = CASE
        WHEN known.behavior = excluded.behavior THEN least(known.since, excluded.since)
        ELSE excluded.since
    END,
    resumes_at = excluded.resumes_at;

-- name: forget
DELETE FROM collection_pause WHERE stripe_subscription_id = :stripe_subscription_id;

-- name: waiting
SELECT key
FROM invoice
WHERE attribution_id = :attribution_id AND state = 'blocked' AND blocked_kind = :kind
ORDER BY key;
