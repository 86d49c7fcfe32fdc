-- name: awaiting
-- Invoices of a period that wait for an approval, or that a limit holds, with the account's invoices of the month before:
-- the first ones by key, and how many there are in all. Those that a person has said "not yet" of wait for their own
-- approval.
WITH waiting AS MATERIALIZED (
    SELECT i.key, i.attribution_id, i.currency, i.amount, i.blocked_reason, count(*) OVER () AS waits
    FROM invoice AS i
    WHERE i.billing_period = :period
      AND i.void_requested_at IS NULL
      AND (
          (i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL)
          OR (i.state = 'blocked' AND i.blocked_kind = 'limit')
      )
      AND NOT EXISTS (SELECT FROM decision AS d WHERE d.subject = i.key AND d.kind = 'not_yet')
    ORDER BY i.key
    LIMIT CAST(:most AS bigint)
)
SELECT i.key, i.attribution_id,
       (SELECT name FROM account AS payer WHERE payer.attribution_id = i.attribution_id) AS account_name,
       i.currency, i.amount, i.blocked_reason AS reason, before.amount AS previous, i.waits
FROM waiting AS i
LEFT JOIN LATERAL (
    SELECT CAST(sum(p.amount) AS bigint) AS amount
    FROM invoice AS p
    WHERE p.billing_period = :previous
      AND p.attribution_id = i.attribution_id
      AND p.currency = i.currency
      AND p.state NOT IN ({dead})
) AS before ON true
ORDER BY i.key;
