-- name: requested
-- The credit notes of the period's corrections that Stripe does not have yet.
SELECT n.key
FROM credit_note AS n
JOIN correction AS c ON c.id = n.correction_id
JOIN invoice AS i ON i.id = c.invoice_id
WHERE i.billing_period = :period AND n.state = 'requested'
ORDER BY n.id;

-- name: sharing
-- The invoices with misbilled usage, and the finalized ones that share a month's places with one of them, or with one
-- that is corrected: its correction may move theirs, and the command can have been interrupted before that.
SELECT i.key
FROM invoice AS i
WHERE i.state NOT IN ({dead})
  AND (i.key = ANY (CAST(:keys AS text[])) OR i.state IN ({creditable}) AND EXISTS (
      SELECT
      FROM invoice AS other
      JOIN invoice_month AS theirs ON theirs.invoice_id = other.id
      JOIN invoice_month AS own ON own.month = theirs.month
      WHERE (other.key = ANY (CAST(:keys AS text[]))
             OR other.billing_period = :period
                AND EXISTS (SELECT FROM correction AS c WHERE c.invoice_id = other.id))
        AND other.attribution_id = i.attribution_id
        AND own.invoice_id = i.id
  ))
UNION
-- The dead ones of the period whose corrections are still charged elsewhere.
SELECT i.key
FROM invoice AS i
JOIN correction AS c ON c.invoice_id = i.id
JOIN adjustment AS a ON a.correction_id = c.id AND a.state = 'charged'
JOIN invoice_line AS l ON (l.invoice_id, l.correction_key) = (a.invoice_id, c.key)
WHERE i.billing_period = :period
  AND i.state IN ({dead})
  AND a.amount > (
      SELECT coalesce(sum(p.amount), 0)
      FROM credit_note AS n
      JOIN credit_note_line AS p ON p.credit_note_id = n.id
      WHERE (n.invoice_id, p.line_no) = (l.invoice_id, l.line_no) AND n.state IN ({live_credits})
  )
ORDER BY key;
