-- name: sharing
-- The invoices with misbilled usage, and those that share a month's places with one: its correction may move theirs.
SELECT i.key
FROM invoice AS i
WHERE i.state NOT IN ({dead})
  AND (i.key = ANY (CAST(:keys AS text[])) OR EXISTS (
      SELECT
      FROM invoice AS other
      JOIN invoice_month AS theirs ON theirs.invoice_id = other.id
      JOIN invoice_month AS own ON own.month = theirs.month
      WHERE other.key = ANY (CAST(:keys AS text[]))
        AND other.attribution_id = i.attribution_id
        AND own.invoice_id = i.id
  ))
ORDER BY i.key;
