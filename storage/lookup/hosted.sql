-- name: record_number
UPDATE invoice SET stripe_number = :number, updated_at = now()
WHERE key = :key AND stripe_number IS DISTINCT FROM CAST(:number AS text);

-- name: record_url
INSERT INTO hosted_invoice (invoice_id, url)
SELECT id, :url FROM invoice WHERE key = :key
ON CONFLICT (invoice_id) DO UPDATE SET url = excluded.url
WHERE hosted_invoice.url <> excluded.url;

-- name: may_read
SELECT has_table_privilege('hosted_invoice', 'SELECT');

-- name: url_of
-- Without a number, the page is of the invoice in Stripe that a rebuild replaces.
SELECT h.url
FROM hosted_invoice AS h
JOIN invoice AS i ON i.id = h.invoice_id
WHERE h.invoice_id = :id AND i.stripe_number IS NOT NULL;
