-- name: all
SELECT coalesce(invoiced.billing_period, settled.billing_period, held.billing_period) AS period,
       coalesce(invoiced.invoices, 0) AS invoices,
       coalesce(invoiced.open, 0) AS open,
       coalesce(invoiced.blocked, 0) AS blocked,
       CAST(coalesce(invoiced.totals, '{}') AS text) AS totals,
       settled.settled_at,
       held.reason AS held
FROM (
    SELECT billing_period, sum(invoices)::bigint AS invoices, sum(open)::bigint AS open,
           sum(blocked)::bigint AS blocked, jsonb_object_agg(currency, amount) AS totals
    FROM (
        SELECT billing_period, currency, count(*) AS invoices,
               count(*) FILTER (WHERE state IN ({open})) AS open,
               count(*) FILTER (WHERE state = 'blocked') AS blocked,
               coalesce(sum(coalesce(accepted_subtotal, amount)) FILTER (WHERE state NOT IN ({dead})), 0) AS amount
        FROM invoice
        GROUP BY billing_period, currency
    ) AS by_currency
    GROUP BY billing_period
) AS invoiced
FULL JOIN period_summary AS settled USING (billing_period)
FULL JOIN (SELECT billing_period, reason FROM period_hold WHERE reason IS NOT NULL) AS held
    USING (billing_period)
ORDER BY 1 DESC;
