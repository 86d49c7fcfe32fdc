-- name: usage
-- Of every instance that ran in the scope: its runtime as one range, the plain sums of its claims within, and the set
-- of instants that no claim takes. Why an instance is invalid is as `period status` has it.
payer AS MATERIALIZED (
    SELECT a.attribution_id, given.windows,
           given.windows * CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after)) END AS early,
           given.windows * tstzmultirange(
               tstzrange(floor.bill_after, NULL) * tstzrange(NULL, CAST(:first_rate AS timestamptz))
           ) AS unrated,
           given.windows * tstzmultirange(
               tstzrange(greatest(floor.bill_after, CAST(:first_rate AS timestamptz)), NULL)
           ) AS chargeable
    FROM account AS a
    CROSS JOIN LATERAL (SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after) AS floor
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(s.during), '{}'::tstzmultirange) AS windows
        FROM subscription AS s
        WHERE s.attribution_id = a.attribution_id
    ) AS given
    WHERE CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id
),
ran AS (
    SELECT w.id, w.attribution_id, w.lifetime IS NULL AS without_lifetime,
           w.creation_time IS NULL AS without_creation, w.started_time IS NULL AS without_start,
           CASE WHEN w.started_time <= coalesce(w.stopping_time, w.stopped_time, w.started_time)
                THEN tstzrange(w.started_time, coalesce(
                         w.stopping_time, w.stopped_time, greatest(w.started_time, CAST(:now AS timestamptz))
                     )) * tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
                ELSE 'empty'
           END AS run
    FROM workspace_instance AS w
    WHERE CAST(:attribution_id AS text) IS NULL OR w.attribution_id = :attribution_id
),
claimed AS (
    SELECT ran.id, ran.attribution_id, ran.run, ran.without_lifetime, ran.without_creation, ran.without_start,
           coalesce(sum(upper(taken.part) - lower(taken.part)) FILTER (WHERE taken.fate = 'billed'), '0') AS billed,
           coalesce(sum(upper(taken.part) - lower(taken.part)) FILTER (WHERE taken.fate = 'open'), '0') AS open,
           coalesce(sum(upper(taken.part) - lower(taken.part)) FILTER (WHERE taken.fate = 'dead'), '0') AS written_off,
           tstzmultirange(ran.run) - coalesce(range_agg(taken.part), '{}'::tstzmultirange) AS unclaimed
    FROM ran
    LEFT JOIN (claim AS c LEFT JOIN invoice AS i ON i.id = c.invoice_id)
        ON c.instance_id = ran.id AND c.during && ran.run
    CROSS JOIN LATERAL (
        SELECT c.during * ran.run AS part,
               CASE WHEN i.state IN ('voided', 'deleted') THEN 'dead'
                    WHEN i.state IN ('billed', 'paid', 'uncollectible') THEN 'billed'
                    ELSE 'open'
               END AS fate
    ) AS taken
    WHERE CAST(:start AS timestamptz) IS NULL OR NOT isempty(ran.run)
    GROUP BY ran.id, ran.attribution_id, ran.run, ran.without_lifetime, ran.without_creation, ran.without_start
),
rest AS (
    SELECT claimed.*,
           CASE WHEN claimed.without_creation THEN 'no_creation_time'
                WHEN claimed.without_start THEN 'no_started_time'
                WHEN claimed.without_lifetime THEN 'ends_before_start'
                WHEN payer.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(claimed.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN claimed.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid,
           payer.windows, payer.early, payer.unrated, payer.chargeable
    FROM claimed
    LEFT JOIN payer USING (attribution_id)
)

-- name: create_usage
-- What is claimed is a plain sum, what is not is measured as a set: where claims are doubled, both come to more than
-- the runtime.
CREATE TEMPORARY TABLE audit_usage ON COMMIT DROP AS
WITH {usage}
SELECT rest.id AS instance_id, rest.attribution_id, rest.invalid,
       CASE WHEN isempty(rest.run) THEN interval '0' ELSE upper(rest.run) - lower(rest.run) END AS runtime,
       rest.billed, rest.open, rest.written_off,
       coalesce(measured.excluded, '0') AS excluded, coalesce(measured.uncovered, '0') AS uncovered,
       coalesce(measured.early, '0') AS early, coalesce(measured.unrated, '0') AS unrated,
       coalesce(measured.unbilled, '0') AS unbilled
FROM rest
LEFT JOIN LATERAL (
    SELECT sum(upper(part) - lower(part)) FILTER (WHERE fate = 'excluded') AS excluded,
           sum(upper(part) - lower(part)) FILTER (WHERE fate = 'uncovered') AS uncovered,
           sum(upper(part) - lower(part)) FILTER (WHERE fate = 'early') AS early,
           sum(upper(part) - lower(part)) FILTER (WHERE fate = 'unrated') AS unrated,
           sum(upper(part) - lower(part)) FILTER (WHERE fate = 'unbilled') AS unbilled
    FROM (
        SELECT 'excluded' AS fate, unnest(rest.unclaimed) AS part WHERE rest.invalid IS NOT NULL
        UNION ALL
        SELECT 'uncovered', unnest(rest.unclaimed - rest.windows) WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'early', unnest(rest.unclaimed * rest.early) WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'unrated', unnest(rest.unclaimed * rest.unrated) WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'unbilled', unnest(rest.unclaimed * rest.chargeable) WHERE rest.invalid IS NULL
    ) AS parts
) AS measured ON NOT isempty(rest.unclaimed);

-- name: figures
-- In microseconds, by the reason why instances are invalid; summed by account first, so that intervals stay small.
SELECT invalid, CAST(sum(instances) AS bigint) AS instances,
       CAST(sum(extract(epoch FROM runtime) * 1000000) AS numeric(40, 0)) AS runtime_us,
       CAST(sum(extract(epoch FROM billed) * 1000000) AS numeric(40, 0)) AS billed_us,
       CAST(sum(extract(epoch FROM open) * 1000000) AS numeric(40, 0)) AS open_us,
       CAST(sum(extract(epoch FROM written_off) * 1000000) AS numeric(40, 0)) AS written_off_us,
       CAST(sum(extract(epoch FROM excluded) * 1000000) AS numeric(40, 0)) AS excluded_us,
       CAST(sum(extract(epoch FROM uncovered) * 1000000) AS numeric(40, 0)) AS uncovered_us,
       CAST(sum(extract(epoch FROM early) * 1000000) AS numeric(40, 0)) AS early_us,
       CAST(sum(extract(epoch FROM unrated) * 1000000) AS numeric(40, 0)) AS unrated_us,
       CAST(sum(extract(epoch FROM unbilled) * 1000000) AS numeric(40, 0)) AS unbilled_us
FROM (
    SELECT attribution_id, invalid, count(*) AS instances, sum(runtime) AS runtime, sum(billed) AS billed,
           sum(open) AS open, sum(written_off) AS written_off, sum(excluded) AS excluded, sum(uncovered) AS uncovered,
           sum(early) AS early, sum(unrated) AS unrated, sum(unbilled) AS unbilled
    FROM audit_usage
    GROUP BY attribution_id, invalid
) AS of_account
GROUP BY invalid;

-- name: not_conserved
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'not_conserved', u.attribution_id, u.instance_id,
       'it ran ' || us.runtime || ' us, but the parts come to ' || us.parts || ' us: ' || us.billed || ' billed, '
       || us.open || ' open, ' || us.written_off || ' written off, ' || us.excluded || ' excluded, ' || us.unbilled
       || ' not yet billed'
FROM audit_usage AS u
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM u.runtime) * 1000000 AS bigint) AS runtime,
           CAST(extract(epoch FROM u.billed) * 1000000 AS bigint) AS billed,
           CAST(extract(epoch FROM u.open) * 1000000 AS bigint) AS open,
           CAST(extract(epoch FROM u.written_off) * 1000000 AS bigint) AS written_off,
           CAST(extract(epoch FROM u.excluded + u.uncovered + u.early + u.unrated) * 1000000 AS bigint) AS excluded,
           CAST(extract(epoch FROM u.unbilled) * 1000000 AS bigint) AS unbilled,
           CAST(extract(epoch FROM u.billed + u.open + u.written_off + u.excluded + u.uncovered + u.early + u.unrated
                                   + u.unbilled) * 1000000 AS bigint) AS parts
) AS us
WHERE u.runtime
      <> u.billed + u.open + u.written_off + u.excluded + u.uncovered + u.early + u.unrated + u.unbilled
ORDER BY u.instance_id;

-- name: create_unbilled
-- What could be billed of months that have ended and is not, by account and month.
CREATE TEMPORARY TABLE audit_unbilled ON COMMIT DROP AS
WITH {usage}
SELECT rest.attribution_id, m.name AS month, m.until, count(DISTINCT rest.id) AS instances, min(rest.id) AS instance_id,
       CAST(extract(epoch FROM sum(least(upper(piece), m.until) - greatest(lower(piece), m.since))) * 1000000
            AS bigint) AS us
FROM rest
CROSS JOIN LATERAL unnest(rest.unclaimed * rest.chargeable) AS piece
JOIN unnest(CAST(:months AS text[]), CAST(:months_from AS timestamptz[]), CAST(:months_to AS timestamptz[]))
    AS m (name, since, until) ON m.since < upper(piece) AND m.until > lower(piece)
WHERE rest.invalid IS NULL
GROUP BY rest.attribution_id, m.name, m.until;

-- name: first_chargeable
-- Nothing before it can be billed, whatever instances say of their start.
SELECT greatest(min(lower(during)), CAST(:first_rate AS timestamptz), CAST(:bill_after AS timestamptz)) FROM subscription;
