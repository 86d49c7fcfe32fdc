-- name: content
{pieces}
          FROM ({reports/claims.as_billed}) AS c
{of_invoices};

-- name: released_content
{pieces}
          FROM ({reports/claims.as_released}) AS c
{of_invoices};

-- name: pieces
-- A report's lines after its header, some hundreds in a piece; `claims` is the number of all lines of the invoice.
-- Each is canonical JSON, as billing/report/format.py describes it, and made here because a period has millions.
SELECT invoice_id, claims, string_agg(line, '' ORDER BY number) AS lines
FROM (
    SELECT c.invoice_id,
           row_number() OVER in_order AS number,
           count(*) OVER (PARTITION BY c.invoice_id) AS claims,
           '{"duration_us":'
               || CAST(extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000 AS bigint)
               || ',"from":"' || to_char(lower(c.during) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               || '","instance_id":' || CAST(to_json(c.instance_id) AS text)
               || ',"line_no":' || c.line_no
               || ',"project_id":' || coalesce(CAST(to_json(w.project_id) AS text), 'null')
               -- Only where it is not 1, so that reports without quantities keep their bytes.
               || CASE WHEN c.quantity = 1 THEN '' ELSE ',"quantity":"' || trim_scale(c.quantity) || '"' END
               || ',"to":"' || to_char(upper(c.during) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               || '","workspace_id":' || coalesce(CAST(to_json(w.workspace_id) AS text), 'null')
               || E'}\n' AS line

-- name: of_invoices
          -- One by one: for a page of claims, PostgreSQL would rather read the whole table of instances.
          LEFT JOIN LATERAL (
              SELECT workspace_id, project_id FROM workspace_instance WHERE id = c.instance_id OFFSET 0
          ) AS w ON true
    WINDOW in_order AS (PARTITION BY c.invoice_id ORDER BY c.instance_id, lower(c.during))
) AS numbered
GROUP BY invoice_id, claims, (number - 1) / 200
ORDER BY invoice_id, (number - 1) / 200
