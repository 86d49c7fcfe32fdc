-- name: of_invoice
-- What each instance has on an invoice, by line; of a dead invoice, what it had.
WITH page AS (
    SELECT part.instance_id, part.line_no, min(lower(part.during)) AS "start", max(upper(part.during)) AS "end",
           CAST(extract(epoch FROM sum(upper(part.during) - lower(part.during))) * 1000000 AS bigint) AS duration_us,
           trim_scale(sum(extract(epoch FROM upper(part.during) - lower(part.during)) * 1000000 * part.quantity))
               AS quantity_us,
           count(*) AS intervals
    FROM (
        SELECT instance_id, line_no, during, quantity FROM claim WHERE invoice_id = :invoice_id
        UNION ALL
        SELECT instance_id, line_no, during, quantity FROM claim_history
        WHERE invoice_id = :invoice_id AND CAST(:dead AS boolean)
    ) AS part
    WHERE CAST(:instance_id AS text) IS NULL
       OR (part.instance_id, part.line_no) > (:instance_id, CAST(:line_no AS integer))
    GROUP BY part.instance_id, part.line_no
    ORDER BY part.instance_id, part.line_no
    LIMIT :limit
)
SELECT page.*, w.workspace_id, w.project_id
FROM page
LEFT JOIN workspace_instance AS w ON w.id = page.instance_id
ORDER BY page.instance_id, page.line_no;
