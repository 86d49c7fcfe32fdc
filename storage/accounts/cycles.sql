-- name: cut
-- What a cycle that was announced before keeps, if another one begins within it.
UPDATE subscription_cycle
SET during = tstzrange(lower(during), CAST(:start AS timestamptz))
WHERE stripe_subscription_id = :stripe_subscription_id
  AND lower(during) < :start
  AND upper(during) > :start;

-- name: drop
DELETE FROM subscription_cycle
WHERE stripe_subscription_id = :stripe_subscription_id
  AND during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
  AND during <> tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz));

-- name: insert
INSERT INTO subscription_cycle (stripe_subscription_id, attribution_id, during)
VALUES (
    :stripe_subscription_id, :attribution_id, tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
)
ON CONFLICT ON CONSTRAINT subscription_cycle_never_two_at_once DO NOTHING;

-- name: last
-- The cycle that contains the last instant before the cutoff, of the subscription, or of any of the account's.
SELECT lower(during) AS "start", upper(during) AS "end"
FROM subscription_cycle
WHERE attribution_id = :attribution_id
  AND (CAST(:stripe_subscription_id AS text) IS NULL OR stripe_subscription_id = :stripe_subscription_id)
  AND lower(during) < :cutoff
  AND upper(during) >= :cutoff
ORDER BY during DESC
LIMIT 1;

-- name: ends_at
SELECT EXISTS (
    SELECT FROM subscription_cycle WHERE stripe_subscription_id = :stripe_subscription_id AND upper(during) = :end
);
