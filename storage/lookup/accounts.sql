-- name: money
-- By account and currency; NULL where there is no such invoice.
WITH net AS (
    SELECT i.attribution_id, i.billing_period, i.currency, coalesce(i.resume_state, i.state) AS state,
           coalesce(i.accepted_subtotal, i.amount) - coalesce((
               SELECT sum(n.amount) FROM credit_note AS n WHERE n.invoice_id = i.id AND n.state = 'issued'
           ), 0) AS amount
    FROM invoice AS i
    WHERE i.attribution_id = ANY (CAST(:accounts AS text[])) AND i.state NOT IN ({dead})
)
SELECT attribution_id, currency,
       CAST(sum(amount) FILTER (WHERE billing_period = :period) AS bigint) AS billed,
       CAST(sum(amount) FILTER (WHERE state IN ('finalized', 'billed')) AS bigint) AS unpaid,
       CAST(sum(amount) FILTER (WHERE state = 'uncollectible') AS bigint) AS uncollectible
FROM net
GROUP BY attribution_id, currency
ORDER BY attribution_id, currency;

-- name: decisions
-- What people decided about an account, its invoices and their credit notes, newest first.
SELECT d.*
FROM decision AS d
WHERE d.subject IN (
    SELECT CAST(:attribution_id AS text)
    UNION ALL
    SELECT key FROM invoice WHERE attribution_id = :attribution_id
    UNION ALL
    SELECT n.key FROM credit_note AS n JOIN invoice AS i ON i.id = n.invoice_id WHERE i.attribution_id = :attribution_id
)
ORDER BY d.id DESC
LIMIT :limit;

-- name: decisions_of_invoice
-- What people decided about an invoice and its credit notes, oldest first.
SELECT d.*
FROM decision AS d
WHERE d.subject = :key
   OR d.subject IN (
       SELECT n.key FROM credit_note AS n JOIN invoice AS i ON i.id = n.invoice_id WHERE i.key = :key
   )
ORDER BY d.id;

-- name: cycles
SELECT stripe_subscription_id, lower(during) AS start, upper(during) AS "end"
FROM subscription_cycle
WHERE attribution_id = :attribution_id
ORDER BY lower(during) DESC
LIMIT :limit;

-- name: worth
-- The rates of an instance's usage on a line; none if other lines change what usage costs.
SELECT DISTINCT i.currency, l.credits_per_minute, l.price_per_credit, c.quantity
FROM invoice AS i
JOIN invoice_line AS l ON l.invoice_id = i.id AND l.line_no = :line_no
JOIN claim AS c ON (c.invoice_id, c.line_no) = (l.invoice_id, l.line_no) AND c.instance_id = :instance_id
WHERE i.key = :key
  AND NOT EXISTS (SELECT FROM invoice_line AS tier WHERE tier.invoice_id = i.id AND tier.kind = 'tiers');
