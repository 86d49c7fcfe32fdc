-- name: waits
-- What waits for a customer: accounts of a run or a draft, and subscriptions with a cancellation.
SELECT attribution_id, billing_period, NULL AS stripe_subscription_id
FROM account_outcome
WHERE kind = 'customer'
UNION ALL
SELECT f.attribution_id, NULL, f.stripe_subscription_id
FROM subscription_fault AS f
JOIN unnest(CAST(:reasons AS text[])) AS given (beginning) ON starts_with(f.reason, given.beginning)

-- name: whose
(CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id)
  AND (CAST(:customer AS text) IS NULL OR a.stripe_customer_id = :customer)

-- name: to_ask
SELECT a.attribution_id, a.stripe_customer_id
FROM account AS a
WHERE a.attribution_id IN (SELECT w.attribution_id FROM ({waits}) AS w)
  AND {whose}
ORDER BY a.stripe_seen_at NULLS FIRST, a.attribution_id
LIMIT :limit;

-- name: can_run
-- No period is run before its end, nor while a person decides on it. While usage goes on a subscription's drafts, no run
-- bills the account.
w.billing_period <= :last_ended
  AND NOT on_drafts.so
  AND NOT EXISTS (SELECT FROM period_hold AS h WHERE h.billing_period = w.billing_period AND h.reason IS NOT NULL)

-- name: resumable
SELECT a.attribution_id, a.stripe_customer_id,
       coalesce(array_agg(DISTINCT w.billing_period) FILTER (WHERE {can_run}), '{}') AS periods,
       coalesce(array_agg(DISTINCT w.stripe_subscription_id) FILTER (
           WHERE w.stripe_subscription_id IS NOT NULL), '{}') AS subscriptions,
       bool_or(w.billing_period IS NOT NULL AND on_drafts.so) AS drafts
FROM ({waits}) AS w
JOIN account AS a USING (attribution_id)
LEFT JOIN account_policy AS p USING (attribution_id)
CROSS JOIN LATERAL (
    SELECT coalesce(p.charge_on, CAST(:charge_on AS text)) = 'subscription' AND EXISTS (
        SELECT FROM subscription AS s
        WHERE s.attribution_id = a.attribution_id
          AND s.stripe_subscription_id IS NOT NULL
          AND upper_inf(s.during)
          AND NOT coalesce((
              SELECT upper(c.during) - lower(c.during) > CAST(:longest_month AS interval)
              FROM subscription_cycle AS c
              WHERE c.stripe_subscription_id = s.stripe_subscription_id
              ORDER BY c.during DESC
              LIMIT 1
          ), false)
    ) AS so
) AS on_drafts
WHERE a.stripe_customer_id IS NOT NULL
  AND (NOT :email OR a.email_in_stripe)
  AND (NOT :address OR a.address_in_stripe)
  AND {whose}
GROUP BY a.attribution_id
HAVING :with_drafts OR bool_or(w.stripe_subscription_id IS NOT NULL OR {can_run})
-- Those whose customers were asked about last: what stays resumable, such as a run that fails, does not starve others.
ORDER BY max(a.stripe_seen_at) DESC NULLS LAST, a.attribution_id
LIMIT :limit;
