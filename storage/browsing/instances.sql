-- name: of_invoice
-- What each instance has on an invoice, by line, with what a correction has cut; of a dead invoice, what it had.
WITH part AS (
    SELECT instance_id, line_no, during, quantity FROM claim WHERE invoice_id = :invoice_id
    UNION ALL
    SELECT instance_id, line_no, during, quantity FROM claim_history
    WHERE invoice_id = :invoice_id AND (reason = 'corrected' OR CAST(:dead AS boolean))
),
shown AS (
    SELECT DISTINCT instance_id, line_no
    FROM part
    WHERE CAST(:instance_id AS text) IS NULL
       OR (instance_id, line_no) > (:instance_id, CAST(:line_no AS integer))
    ORDER BY instance_id, line_no
    LIMIT :limit
),
page AS (
    SELECT instance_id, line_no, min(lower(during)) AS "start", max(upper(during)) AS "end",
           CAST(extract(epoch FROM sum(upper(during) - lower(during))) * 1000000 AS bigint) AS duration_us,
           trim_scale(sum(extract(epoch FROM upper(during) - lower(during)) * 1000000 * quantity)) AS quantity_us,
           count(*) AS intervals
    FROM part
    JOIN shown USING (instance_id, line_no)
    GROUP BY instance_id, line_no
)
SELECT page.*, w.workspace_id, w.project_id
FROM page
LEFT JOIN workspace_instance AS w ON w.id = page.instance_id
ORDER BY page.instance_id, page.line_no;
