-- name: owner
SELECT attribution_id FROM subscription WHERE stripe_subscription_id = :stripe_subscription_id LIMIT 1;

-- name: given
SELECT tstzrange(w.since, w.until) AS during, w.kind, CAST(w.part AS smallint) AS part
FROM unnest(
    CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]), CAST(:kinds AS text[])
) WITH ORDINALITY AS w (since, until, kind, part)

-- name: is_same
WITH given AS ({given}),
stored AS (
    SELECT during, kind, part, currency FROM subscription WHERE stripe_subscription_id = :stripe_subscription_id
)
SELECT NOT EXISTS (SELECT during, kind, part, CAST(:currency AS text) FROM given EXCEPT SELECT * FROM stored)
   AND NOT EXISTS (SELECT * FROM stored EXCEPT SELECT during, kind, part, CAST(:currency AS text) FROM given)
   AND NOT EXISTS (
       SELECT FROM subscription AS s
       WHERE s.attribution_id = :attribution_id
         AND s.stripe_subscription_id IS NULL
         AND lower(s.during) IN (SELECT lower(during) FROM given)
   );

-- name: delete
-- The subscription's own windows, and those with the same start that a file supplied.
DELETE FROM subscription
WHERE stripe_subscription_id = :stripe_subscription_id
   OR attribution_id = :attribution_id
      AND stripe_subscription_id IS NULL
      AND lower(during) = ANY (CAST(:starts AS timestamptz[]));

-- name: overlapping
WITH given AS ({given})
SELECT lower(given.during) AS since, lower(s.during) AS started, upper(s.during) AS ended
FROM given
JOIN subscription AS s ON s.during && given.during
WHERE s.attribution_id = :attribution_id
ORDER BY given.during, s.during
LIMIT 1;

-- name: insert
INSERT INTO subscription (attribution_id, stripe_subscription_id, currency, part, kind, during)
SELECT :attribution_id, :stripe_subscription_id, :currency, given.part, given.kind, given.during
FROM ({given}) AS given;

-- name: set_currency
UPDATE subscription
SET currency = :currency
WHERE (attribution_id, stripe_subscription_id) = (:attribution_id, :stripe_subscription_id)
  AND currency <> :currency;
