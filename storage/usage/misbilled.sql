-- Time whose claim, on a live invoice, and segment disagree: facts or windows were corrected after it had been claimed.
-- Each instant has one reason, in the order of `found`.

-- name: of_invoices
WITH claimed AS (
    {columns}
    FROM invoice AS i
    JOIN claim AS c ON c.invoice_id = i.id
    WHERE (CAST(:period AS text) IS NULL OR i.billing_period = :period)
      AND (CAST(:accounts AS text[]) IS NULL OR i.attribution_id = ANY (CAST(:accounts AS text[])))
      AND i.state NOT IN ({dead})
),
{reasons};

-- name: of_instances
WITH claimed AS (
    {columns}
    FROM claim AS c
    JOIN invoice AS i ON i.id = c.invoice_id
    WHERE instance_key(c.instance_id) = ANY (ARRAY(SELECT instance_key(id) FROM unnest(CAST(:instances AS text[])) AS id))
      AND i.state NOT IN ({dead})
),
{reasons};

-- name: columns
-- What was corrected is compared as it was corrected.
SELECT c.instance_id, c.during, coalesce(c.corrected_quantity, c.quantity) AS quantity, c.corrected_class, c.invoice_id,
       c.line_no, i.attribution_id, i.currency, i.key

-- name: reasons
-- The windows in the invoice's currency. Without `charged_kinds`, whether a window is charged is not judged.
windows AS MATERIALIZED (
    SELECT attribution_id, currency, range_agg(during) AS during,
           range_agg(during) FILTER (WHERE charged) AS charged,
           range_agg(during) FILTER (WHERE kind = 'trial' AND NOT charged) AS trial,
           range_agg(during) FILTER (WHERE kind = 'collection_paused' AND NOT charged) AS paused
    FROM (
        SELECT attribution_id, currency, kind, during,
               coalesce(charged, kind = ANY (CAST(:charged_kinds AS text[])), true) AS charged
        FROM account_window
    ) AS s
    GROUP BY attribution_id, currency
),
judged AS MATERIALIZED (
    -- Before anything else is read of the few claims that differ.
    SELECT claimed.*, coalesce(claimed.corrected_class, l.workspace_class) AS workspace_class,
           coalesce(windows.during, '{}'::tstzmultirange) AS windows,
           coalesce(windows.charged, '{}'::tstzmultirange) AS charged,
           coalesce(windows.trial, '{}'::tstzmultirange) AS trial,
           coalesce(windows.paused, '{}'::tstzmultirange) AS paused
    FROM claimed
    JOIN invoice_line AS l USING (invoice_id, line_no)
    LEFT JOIN windows USING (attribution_id, currency)
    LEFT JOIN instance_segment AS s
        ON s.instance_id = claimed.instance_id AND (NOT s.segmented OR claimed.during <@ s.during)
    WHERE (s.fault IS NULL AND claimed.during <@ s.during
           AND claimed.attribution_id = s.attribution_id
           AND coalesce(claimed.corrected_class, l.workspace_class) = coalesce(nullif(s.workspace_class, ''), :default_class)
           AND claimed.quantity = s.quantity
           AND claimed.during <@ windows.charged) IS NOT TRUE
),
overlap AS (
    -- By the claim and the segments that it touches: what agrees, and what differs in which way.
    SELECT judged.*,
           coalesce(range_agg(s.during) FILTER (WHERE s.fault IS NULL), '{}'::tstzmultirange) AS runtime,
           coalesce(range_agg(s.during) FILTER (
               WHERE s.fault IS NULL AND s.attribution_id IS DISTINCT FROM judged.attribution_id
           ), '{}'::tstzmultirange) AS elsewhere,
           coalesce(range_agg(s.during) FILTER (
               WHERE s.fault IS NULL AND coalesce(nullif(s.workspace_class, ''), :default_class) <> judged.workspace_class
           ), '{}'::tstzmultirange) AS otherwise,
           coalesce(range_agg(s.during) FILTER (
               WHERE s.fault IS NULL AND s.quantity <> judged.quantity
           ), '{}'::tstzmultirange) AS quantified
    FROM judged
    LEFT JOIN instance_segment AS s
        ON s.instance_id = judged.instance_id
       AND s.during && judged.during
       AND s.instance_id = ANY (ARRAY(SELECT judged.instance_id FROM judged))
    GROUP BY judged.instance_id, judged.during, judged.quantity, judged.invoice_id, judged.line_no,
             judged.attribution_id, judged.currency, judged.key, judged.corrected_class, judged.workspace_class,
             judged.windows, judged.charged, judged.trial, judged.paused
)
SELECT o.instance_id, o.attribution_id, o.key AS invoice_key, found.reason,
       CAST(extract(epoch FROM sum(upper(piece) - lower(piece))) * 1000000 AS bigint) AS duration_us
FROM overlap AS o
CROSS JOIN LATERAL (
    SELECT 'outside_windows' AS reason, tstzmultirange(o.during) - o.windows AS during
    UNION ALL
    SELECT 'trial', tstzmultirange(o.during) * o.trial
    UNION ALL
    SELECT 'collection_paused', tstzmultirange(o.during) * o.paused
    UNION ALL
    SELECT 'outside_runtime', tstzmultirange(o.during) * o.charged - o.runtime
    UNION ALL
    SELECT 'other_account', tstzmultirange(o.during) * o.charged * o.elsewhere
    UNION ALL
    SELECT 'other_class', tstzmultirange(o.during) * o.charged * o.otherwise - o.elsewhere
    UNION ALL
    SELECT 'other_quantity', tstzmultirange(o.during) * o.charged * o.quantified - o.elsewhere - o.otherwise
) AS found
CROSS JOIN LATERAL unnest(found.during) AS piece
GROUP BY o.instance_id, o.attribution_id, o.key, found.reason
ORDER BY o.instance_id, o.key, found.reason
