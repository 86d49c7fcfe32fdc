-- Claims as they were billed. A correction leaves the invoice's report as it is, but cuts time from claims and splits
-- them: each piece that is left, and each that was cut, names the whole stretch that was billed. Together they are that
-- stretch, so one of them starts where it does.

-- name: as_billed
SELECT {stretch}
FROM claim
WHERE {of_invoices}
UNION ALL
SELECT {stretch}
FROM claim_history
WHERE {of_invoices} AND reason = 'corrected'

-- name: as_released
SELECT {stretch}
FROM claim_history
WHERE {of_invoices}

-- name: stretch
invoice_id, line_no, instance_id, coalesce(billed_during, during) AS during, quantity

-- name: of_invoices
invoice_id = ANY (CAST(:ids AS bigint[])) AND (billed_during IS NULL OR lower(during) = lower(billed_during))

-- name: ids
SELECT id FROM invoice WHERE key = :key;

-- name: claims_for_report
{reported}
FROM ({as_billed}) AS c
{in_order};

-- name: released_for_report
{reported}
FROM ({as_released}) AS c
{in_order};

-- name: reported
SELECT c.line_no, c.instance_id, w.workspace_id, w.project_id, lower(c.during) AS start,
       upper(c.during) AS "end", c.quantity

-- name: in_order
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
ORDER BY c.instance_id, lower(c.during)

-- name: claims_of
-- Live and released claims, as the report lists them.
SELECT line_no, instance_id, NULL AS workspace_id, NULL AS project_id, lower(during) AS start,
       upper(during) AS "end", quantity
FROM (
    {as_billed}
    UNION ALL
    SELECT r.*
    FROM ({as_released}) AS r
    WHERE EXISTS (SELECT FROM invoice AS i WHERE i.id = r.invoice_id AND i.state IN ({dead}))
) AS claims
ORDER BY instance_id, lower(during);

-- name: instances_of_report
-- The number of instances in an invoice's claims, live or released, and those that the database lacks.
SELECT count(*) AS instances,
       count(*) FILTER (WHERE w.id IS NULL) AS missing,
       (coalesce(array_agg(c.instance_id ORDER BY c.instance_id) FILTER (WHERE w.id IS NULL), '{}'))[1:5] AS examples
FROM (
    SELECT b.instance_id FROM ({as_billed}) AS b WHERE NOT CAST(:released AS boolean)
    UNION
    SELECT r.instance_id FROM ({as_released}) AS r WHERE CAST(:released AS boolean)
) AS c
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id;
