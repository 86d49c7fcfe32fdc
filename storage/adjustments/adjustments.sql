-- name: waiting
SELECT a.attribution_id, a.currency, c.key AS correction_key, a.amount, i.cutoff
FROM adjustment AS a
JOIN correction AS c ON c.id = a.correction_id
JOIN invoice AS i ON i.id = c.invoice_id
WHERE a.state = 'waiting'
  AND (a.attribution_id, a.currency) IN (
      SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]))
  )
ORDER BY a.attribution_id, a.currency, a.id;

-- name: charge
-- Those that the invoices' lines name, unless another invoice has charged them.
UPDATE adjustment AS a
SET state = 'charged', invoice_id = l.invoice_id
FROM invoice_line AS l
JOIN correction AS c ON c.key = l.correction_key
WHERE l.invoice_id = ANY (CAST(:invoice_ids AS bigint[]))
  AND a.correction_id = c.id
  AND a.state = 'waiting';

-- name: give_back
-- The next invoice charges them, unless the corrected invoice has died: then its usage is billed again as a whole.
UPDATE adjustment AS a
SET state = CASE WHEN corrected.state IN ({dead}) THEN 'withdrawn' ELSE 'waiting' END, invoice_id = NULL
FROM correction AS c
JOIN invoice AS corrected ON corrected.id = c.invoice_id
WHERE a.invoice_id = :id AND c.id = a.correction_id;

-- name: withdraw
UPDATE adjustment AS a
SET state = 'withdrawn'
FROM correction AS c
WHERE c.invoice_id = :id AND a.correction_id = c.id AND a.state = 'waiting';
