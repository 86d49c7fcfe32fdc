-- name: instances_of_report
-- Of an invoice's claims, live or released: how many instances, and which of them the database does not know.
SELECT count(*) AS instances,
       count(*) FILTER (WHERE w.id IS NULL) AS missing,
       (coalesce(array_agg(c.instance_id ORDER BY c.instance_id) FILTER (WHERE w.id IS NULL), '{}'))[1:5] AS examples
FROM (
    SELECT DISTINCT instance_id FROM claim WHERE invoice_id = :id AND NOT CAST(:released AS boolean)
    UNION
    SELECT DISTINCT instance_id FROM claim_history WHERE invoice_id = :id AND CAST(:released AS boolean)
) AS c
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id;

-- name: key_of_report
SELECT key FROM invoice WHERE report_id = :report_id ORDER BY key LIMIT 1;

-- name: reports
SELECT key, report_id
FROM invoice
WHERE report_id IS NOT NULL
  AND key > :after
  AND (CAST(:period AS text) IS NULL OR billing_period = :period)
ORDER BY key
LIMIT :limit;
