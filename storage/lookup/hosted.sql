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
SELECT url FROM hosted_invoice WHERE invoice_id = :id;
