-- name: conflict
SELECT u.instance_id, lower(u.during * c.during) AS "start", upper(u.during * c.during) AS "end", i.key
FROM page_usage AS u
JOIN claim AS c ON instance_key(c.instance_id) = instance_key(u.instance_id) AND c.during && u.during
JOIN invoice AS i ON i.id = c.invoice_id
ORDER BY u.instance_id, c.during
LIMIT 1;

-- name: insert_payers
-- The instances of `page_usage` that other accounts' invoices have claimed have had several accounts.
INSERT INTO instance_payer (attribution_id, instance_id)
SELECT DISTINCT u.attribution_id, u.instance_id
FROM page_usage AS u
JOIN claim AS c ON instance_key(c.instance_id) = instance_key(u.instance_id) AND c.during && u.during
ON CONFLICT DO NOTHING;
