-- name: record_ids
-- Of each invoice that still has no report and is as it was when its report was made. Rows are locked in one order.
WITH made AS (
    SELECT *
    FROM unnest(CAST(:ids AS bigint[]), CAST(:revisions AS integer[]), CAST(:report_ids AS text[]))
         AS made (id, revision, report_id)
),
waiting AS (
    SELECT i.id, made.report_id
    FROM invoice AS i
    JOIN made ON made.id = i.id AND made.revision = i.revision
    WHERE i.report_id IS NULL AND i.stripe_invoice_id IS NULL AND i.state = 'claimed'
    ORDER BY i.id
    FOR UPDATE OF i
)
UPDATE invoice
SET report_id = waiting.report_id, updated_at = now()
FROM waiting
WHERE invoice.id = waiting.id;
