-- name: latest_period
SELECT max(billing_period) FROM invoice;

-- name: standing
-- Invoices for which something is still to come: they are open, or billed and not paid.
SELECT state, currency, count(*) AS invoices, CAST(sum(amount) AS bigint) AS amount
FROM invoice
WHERE state IN ({open}, 'billed')
GROUP BY state, currency
ORDER BY state, currency;
