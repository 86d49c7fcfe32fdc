-- name: latest_period
SELECT max(billing_period) FROM invoice;

-- name: standing
-- Invoices for which something is still to come: they are open, or billed and not paid. Each half has an index.
SELECT state, currency, count(*) AS invoices, CAST(sum(amount) AS bigint) AS amount
FROM invoice
WHERE state IN ({open})
GROUP BY state, currency
UNION ALL
SELECT 'billed', currency, count(*), CAST(sum(amount) AS bigint)
FROM invoice
WHERE state = 'billed'
GROUP BY currency
ORDER BY state, currency;
