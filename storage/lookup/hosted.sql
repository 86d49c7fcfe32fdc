-- name: record_number
UPDATE invoice SET stripe_number = :number, updated_at = now()
WHERE key = :key AND stripe_number IS DISTINCT FROM CAST(:number AS text);

-- name: record_url
INSERT INTO hosted_invoice (invoice_id, url)
SELECT id, :url FROM invoice WHERE key = :key
ON CONFLICT (invoice_id) DO UPDATE SET url = excluded.url
WHERE hosted_invoice.url <> excluded.url;

-- name: fill_in
WITH missing AS (
    SELECT i.id, g.number, g.url
    FROM invoice AS i
    JOIN unnest(CAST(:ids AS text[]), CAST(:numbers AS text[]), CAST(:urls AS text[])) AS g (stripe_id, number, url)
      ON g.stripe_id = i.stripe_invoice_id
    WHERE i.stripe_number IS NULL
    ORDER BY i.id
    FOR NO KEY UPDATE OF i
),
numbered AS (
    UPDATE invoice AS i SET stripe_number = m.number FROM missing AS m WHERE i.id = m.id RETURNING i.id, m.url
)
INSERT INTO hosted_invoice (invoice_id, url)
SELECT id, url FROM numbered WHERE url IS NOT NULL
ON CONFLICT (invoice_id) DO UPDATE SET url = excluded.url;

-- name: may_read
SELECT has_table_privilege('hosted_invoice', 'SELECT');

-- name: url_of
-- Without a number, the page is of the invoice in Stripe that a rebuild replaces.
SELECT h.url
FROM hosted_invoice AS h
JOIN invoice AS i ON i.id = h.invoice_id
WHERE h.invoice_id = :id AND i.stripe_number IS NOT NULL;
