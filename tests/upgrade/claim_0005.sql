-- The statement by which version 0.1.0 (revision 0005) claims the usage of all accounts until 1 July. That version does not
-- ask for the database's revision.
INSERT INTO page_usage
WITH page AS MATERIALIZED (
    SELECT a.attribution_id,
           range_agg(s.during) * tstzmultirange(
               tstzrange(greatest(a.bill_after, CAST(NULL AS timestamptz)), NULL)
               * tstzrange(NULL, CAST('2022-07-01' AS timestamptz))
           ) AS chargeable
    FROM account AS a
    JOIN subscription AS s USING (attribution_id)
    WHERE a.attribution_id = ANY (CAST(ARRAY(SELECT attribution_id FROM account) AS text[]))
    GROUP BY a.attribution_id
),
claimed AS MATERIALIZED (
    SELECT c.instance_id, range_agg(c.during) AS during
    FROM claim AS c
    WHERE c.invoice_id = ANY (ARRAY(
        SELECT id FROM invoice WHERE attribution_id = ANY (CAST(ARRAY(SELECT attribution_id FROM account) AS text[]))
    ))
    GROUP BY c.instance_id
),
rate AS MATERIALIZED (
    SELECT v.rate_from, v.month, tstzrange(v.since, v.until) AS during
    FROM unnest(
        CAST('{2020-01-01}' AS timestamptz[]), CAST('{""}' AS text[]), CAST('{-infinity}' AS timestamptz[]),
        CAST('{infinity}' AS timestamptz[])
    ) AS v (rate_from, month, since, until)
)
SELECT w.attribution_id,
       w.id AS instance_id,
       coalesce(nullif(w.workspace_class, ''), 'default') AS workspace_class,
       rate.rate_from,
       rate.month,
       piece.during * rate.during AS during
FROM workspace_instance AS w
JOIN page USING (attribution_id)
LEFT JOIN claimed ON claimed.instance_id = w.id
CROSS JOIN LATERAL unnest(
    tstzmultirange(w.lifetime) * page.chargeable - coalesce(claimed.during, '{}'::tstzmultirange)
) AS piece (during)
JOIN rate ON rate.during && piece.during
WHERE w.attribution_id = ANY (CAST(ARRAY(SELECT attribution_id FROM account) AS text[]))
  AND w.lifetime IS NOT NULL
  AND w.started_time < '2022-07-01';
