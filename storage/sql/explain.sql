-- name: explain
-- Every instant of an instance's runtime has one fate. What is claimed is told by its invoice; of the rest, in this
-- order, as `periods.sql` has it: the instance is invalid, outside every window, before bill_after, before the first
-- rate; what remains is not billed yet. What is claimed outside of the runtime follows, with `ran` false: the stop was
-- corrected after its usage had been billed. An instance without any of these gives one row without an interval.
WITH payer AS MATERIALIZED (
    SELECT a.attribution_id,
           CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after))
           END AS before,
           coalesce(
               (SELECT range_agg(s.during) FROM subscription AS s WHERE s.attribution_id = a.attribution_id),
               '{}'::tstzmultirange
           ) AS windows
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after
    ) AS floor
    WHERE a.attribution_id = (SELECT attribution_id FROM workspace_instance WHERE id = :instance_id)
),
instance AS MATERIALIZED (
    SELECT w.id, w.attribution_id, coalesce(nullif(w.workspace_class, ''), :default_class) AS workspace_class,
           w.started_time, coalesce(w.stopping_time, w.stopped_time) AS ended_time,
           tstzmultirange(tstzrange(NULL, CAST(:first_rate AS timestamptz))) AS unrated,
           payer.before, payer.windows,
           CASE WHEN w.started_time <= coalesce(w.stopping_time, w.stopped_time, w.started_time)
                THEN tstzmultirange(tstzrange(
                    w.started_time,
                    coalesce(w.stopping_time, w.stopped_time, greatest(w.started_time, CAST(:now AS timestamptz)))
                ))
                ELSE '{}'::tstzmultirange
           END AS runtime,
           CASE WHEN w.creation_time IS NULL THEN 'no_creation_time'
                WHEN w.started_time IS NULL THEN 'no_started_time'
                WHEN w.lifetime IS NULL THEN 'ends_before_start'
                WHEN payer.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(w.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN w.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid
    FROM workspace_instance AS w
    LEFT JOIN payer USING (attribution_id)
    WHERE w.id = :instance_id
),
claimed AS MATERIALIZED (
    SELECT c.invoice_id, c.line_no, c.during,
           CASE WHEN i.state IN ('voided', 'deleted') THEN 'written_off'
                WHEN i.state IN ('billed', 'paid', 'uncollectible') THEN 'billed'
                ELSE 'open'
           END AS fate
    FROM claim AS c
    JOIN invoice AS i ON i.id = c.invoice_id
    WHERE c.instance_id = :instance_id
),
rest AS (
    SELECT instance.*,
           instance.runtime - coalesce((SELECT range_agg(during) FROM claimed), '{}'::tstzmultirange) AS unclaimed
    FROM instance
),
fates AS (
    SELECT true AS ran, claimed.fate, claimed.invoice_id, claimed.line_no,
           tstzmultirange(claimed.during) * instance.runtime AS during
    FROM claimed CROSS JOIN instance
    UNION ALL
    SELECT false, claimed.fate, claimed.invoice_id, claimed.line_no, tstzmultirange(claimed.during) - instance.runtime
    FROM claimed CROSS JOIN instance
    UNION ALL
    SELECT true, found.fate, NULL, NULL, found.during
    FROM rest
    CROSS JOIN LATERAL (
        SELECT 'invalid' AS fate, rest.unclaimed AS during WHERE rest.invalid IS NOT NULL
        UNION ALL
        SELECT 'uncovered', rest.unclaimed - rest.windows WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'before_bill_after', rest.unclaimed * rest.windows * rest.before WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'before_first_rate', rest.unclaimed * rest.windows * rest.unrated - rest.before
        WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'unbilled', rest.unclaimed * rest.windows - rest.before - rest.unrated WHERE rest.invalid IS NULL
    ) AS found
),
pieces AS (
    SELECT fates.ran, fates.fate, fates.invoice_id, fates.line_no, piece
    FROM fates CROSS JOIN LATERAL unnest(fates.during) AS piece
)
SELECT instance.id AS instance_id, instance.attribution_id, instance.workspace_class, instance.started_time,
       instance.ended_time, instance.invalid,
       (
           SELECT CAST(extract(epoch FROM coalesce(sum(upper(part) - lower(part)), interval '0')) * 1000000 AS bigint)
           FROM unnest(instance.runtime) AS part
       ) AS runtime_us,
       pieces.ran, pieces.fate, lower(pieces.piece) AS since, upper(pieces.piece) AS until,
       CAST(extract(epoch FROM upper(pieces.piece) - lower(pieces.piece)) * 1000000 AS bigint) AS duration_us,
       i.id AS invoice_id, i.key AS invoice_key, i.state AS invoice_state, i.stripe_invoice_id, i.currency,
       l.line_no, l.workspace_class AS line_class, l.rate_from, l.credits_per_minute, l.price_per_credit,
       l.rated_as_default
FROM instance
LEFT JOIN pieces ON true
LEFT JOIN invoice AS i ON i.id = pieces.invoice_id
LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (pieces.invoice_id, pieces.line_no)
ORDER BY pieces.ran DESC, since, until;

-- name: released
SELECT i.key AS invoice_key, h.line_no, lower(h.during) AS since, upper(h.during) AS until, h.released_at, h.reason
FROM claim_history AS h
JOIN invoice AS i ON i.id = h.invoice_id
WHERE h.instance_id = :instance_id
ORDER BY lower(h.during), h.released_at, h.id;
