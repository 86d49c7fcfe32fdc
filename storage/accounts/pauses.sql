-- name: paused_subscription
SELECT stripe_subscription_id
FROM collection_pause
WHERE attribution_id = :attribution_id AND ended IS NULL
ORDER BY stripe_subscription_id
LIMIT 1;

-- name: of_account
SELECT stripe_subscription_id, behavior, since, resumes_at, ended
FROM collection_pause
WHERE attribution_id = :attribution_id
ORDER BY stripe_subscription_id, since;

-- name: of_subscription
SELECT stripe_subscription_id, behavior, since, resumes_at, ended
FROM collection_pause
WHERE stripe_subscription_id = :stripe_subscription_id
ORDER BY since;

-- name: delete
DELETE FROM collection_pause WHERE stripe_subscription_id = :stripe_subscription_id;

-- name: insert
INSERT INTO collection_pause (stripe_subscription_id, attribution_id, behavior, since, resumes_at, ended)
SELECT :stripe_subscription_id, :attribution_id, *
FROM unnest(
    CAST(:behaviors AS text[]), CAST(:since AS timestamptz[]), CAST(:resumes_at AS timestamptz[]),
    CAST(:ended AS timestamptz[])
);

-- name: waiting
SELECT key
FROM invoice
WHERE attribution_id = :attribution_id AND state = 'blocked' AND blocked_kind = ANY (CAST(:kinds AS text[]))
ORDER BY key;
