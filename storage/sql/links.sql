-- name: owner
WITH ours AS (
    SELECT key, attribution_id
    FROM invoice
    WHERE key = CAST(:key AS text) OR stripe_invoice_id = CAST(:stripe_invoice_id AS text)
    ORDER BY key = CAST(:key AS text) DESC NULLS LAST
    LIMIT 1
)
SELECT (SELECT key FROM ours) AS invoice_key,
       coalesce(
           (SELECT attribution_id FROM ours),
           (SELECT attribution_id FROM account WHERE attribution_id = CAST(:attribution_id AS text)),
           (
               SELECT attribution_id
               FROM subscription
               WHERE stripe_subscription_id = CAST(:stripe_subscription_id AS text)
           ),
           (SELECT attribution_id FROM account WHERE stripe_customer_id = CAST(:stripe_customer_id AS text))
       ) AS attribution_id;
