-- name: latest_period
SELECT max(billing_period) FROM invoice;

-- name: standing
-- Invoices for which something is still to come: they are open, or billed and not paid. Each half has an index; issued
-- credits, of which there are few, are taken off afterwards. `unpaid`: finalized and neither paid nor given up, even if
-- the invoice was blocked afterwards.
SELECT state, unpaid, currency, CAST(sum(invoices) AS bigint) AS invoices, CAST(sum(amount) AS bigint) AS amount
FROM (
    SELECT i.state, {owed} AS unpaid, i.currency, count(*) AS invoices, sum(i.amount) AS amount
    FROM invoice AS i
    WHERE i.state IN ({open})
    GROUP BY i.state, {owed}, i.currency
    UNION ALL
    SELECT 'billed', true, currency, count(*), sum(amount)
    FROM invoice
    WHERE state = 'billed'
    GROUP BY currency
    UNION ALL
    SELECT i.state, {owed}, i.currency, 0, -sum(n.amount)
    FROM credit_note AS n
    JOIN invoice AS i ON i.id = n.invoice_id
    WHERE n.state = 'issued' AND (i.state IN ({open}) OR i.state = 'billed')
    GROUP BY i.state, {owed}, i.currency
) AS part
GROUP BY state, unpaid, currency
ORDER BY state, unpaid, currency;

-- name: owed
coalesce(i.resume_state, i.state) IN ('finalized', 'billed')
