-- name: lock
SELECT currency FROM account WHERE attribution_id = :attribution_id FOR UPDATE;

-- name: read
SELECT charge_on, finalization, limit_amount, limit_multiple, limit_carried_share, included_credits,
       limits_off, trial_usage, paused_usage
FROM account_policy
WHERE attribution_id = :attribution_id;

-- name: write
INSERT INTO account_policy (
    attribution_id, charge_on, finalization, limit_amount, limit_multiple, limit_carried_share, included_credits,
    limits_off, trial_usage, paused_usage
)
VALUES (
    :attribution_id, CAST(:charge_on AS text), CAST(:finalization AS text), CAST(:limit_amount AS bigint),
    CAST(:limit_multiple AS numeric), CAST(:limit_carried_share AS numeric),
    CAST(:included_credits AS numeric), CAST(:limits_off AS text[]),
    CAST(:trial_usage AS text), CAST(:paused_usage AS text)
)
ON CONFLICT (attribution_id) DO UPDATE
SET charge_on = excluded.charge_on,
    finalization = excluded.finalization,
    limit_amount = excluded.limit_amount,
    limit_multiple = excluded.limit_multiple,
    limit_carried_share = excluded.limit_carried_share,
    included_credits = excluded.included_credits,
    limits_off = excluded.limits_off,
    trial_usage = excluded.trial_usage,
    paused_usage = excluded.paused_usage,
    updated_at = now();

-- name: period_totals
SELECT currency,
       coalesce(sum(amount) FILTER (WHERE billing_period = :period), 0) AS amount,
       sum(amount) FILTER (WHERE billing_period = :previous) AS previous
FROM invoice
WHERE billing_period IN (:period, :previous) AND state NOT IN ({dead})
GROUP BY currency
ORDER BY currency;

-- name: hold_columns
reason, since, CAST(totals AS text) AS totals, CAST(approved AS text) AS approved, approved_at, approved_by

-- name: read_hold
SELECT {hold_columns} FROM period_hold WHERE billing_period = :period;

-- name: lock_hold
SELECT {hold_columns} FROM period_hold WHERE billing_period = :period FOR UPDATE;

-- name: hold
INSERT INTO period_hold AS h (billing_period, reason, since, totals)
VALUES (
    :period, CAST(:reason AS text), CASE WHEN CAST(:reason AS text) IS NOT NULL THEN now() END, CAST(:totals AS jsonb)
)
ON CONFLICT (billing_period) DO UPDATE
SET reason = excluded.reason,
    since = CASE WHEN excluded.reason IS NOT NULL THEN coalesce(h.since, now()) END,
    totals = excluded.totals;

-- name: approve
UPDATE period_hold
SET approved = CAST(:approved AS jsonb), approved_at = now(), approved_by = :by, reason = NULL, since = NULL
WHERE billing_period = :period;
