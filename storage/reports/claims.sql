-- name: claims_for_report
{reported}
JOIN claim AS c ON c.invoice_id = i.id
{in_order};

-- name: released_for_report
{reported}
JOIN claim_history AS c ON c.invoice_id = i.id
{in_order};

-- name: reported
SELECT c.line_no, c.instance_id, w.workspace_id, w.project_id, lower(c.during) AS start,
       upper(c.during) AS "end", c.quantity
FROM invoice AS i

-- name: in_order
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
WHERE i.key = :key
ORDER BY c.instance_id, lower(c.during)

-- name: claims_of
-- Live and released claims, as the report lists them.
SELECT line_no, instance_id, NULL AS workspace_id, NULL AS project_id, lower(during) AS start,
       upper(during) AS "end", quantity
FROM (
    SELECT line_no, instance_id, during, quantity FROM claim WHERE invoice_id = :id
    UNION ALL
    SELECT line_no, instance_id, during, quantity FROM claim_history WHERE invoice_id = :id
) AS claims
ORDER BY instance_id, lower(during);

-- name: instances_of_report
-- The number of instances in an invoice's claims, live or released, and those that the database lacks.
SELECT count(*) AS instances,
       count(*) FILTER (WHERE w.id IS NULL) AS missing,
       (coalesce(array_agg(c.instance_id ORDER BY c.instance_id) FILTER (WHERE w.id IS NULL), '{}'))[1:5] AS examples
FROM (
    SELECT DISTINCT instance_id FROM claim WHERE invoice_id = :id AND NOT CAST(:released AS boolean)
    UNION
    SELECT DISTINCT instance_id FROM claim_history WHERE invoice_id = :id AND CAST(:released AS boolean)
) AS c
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id;
