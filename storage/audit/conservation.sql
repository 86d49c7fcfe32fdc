-- name: payer
-- An account's windows, those of kinds that are not charged, and the parts of the others before anything is billed,
-- before the first rate, and after both.
payer AS MATERIALIZED (
    SELECT a.attribution_id, given.windows, given.trial, given.paused,
           given.charged * CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after)) END AS early,
           given.charged * tstzmultirange(
               tstzrange(floor.bill_after, NULL) * tstzrange(NULL, CAST(:first_rate AS timestamptz))
           ) AS unrated,
           given.charged * tstzmultirange(
               tstzrange(greatest(floor.bill_after, CAST(:first_rate AS timestamptz)), NULL)
           ) AS chargeable
    FROM account AS a
    CROSS JOIN LATERAL (SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after) AS floor
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(s.during), '{}'::tstzmultirange) AS windows,
               coalesce(range_agg(s.during) FILTER (WHERE s.is_charged), '{}'::tstzmultirange) AS charged,
               coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'trial' AND NOT s.is_charged),
                        '{}'::tstzmultirange) AS trial,
               coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'collection_paused' AND NOT s.is_charged),
                        '{}'::tstzmultirange) AS paused
        FROM (
            SELECT w.during, w.kind,
                   coalesce(w.charged, w.kind = ANY (CAST(:charged_kinds AS text[]))) AS is_charged
            FROM account_window AS w
            WHERE w.attribution_id = a.attribution_id
        ) AS s
    ) AS given
    WHERE CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id
)

-- name: create_usage
-- For every segment in the scope: its runtime there as one range, since when its instance is silent, why it is invalid
-- (by the rules of `period status`), the plain sums of the instance's claims by fate, and the set of instants that they
-- cover.
CREATE TEMPORARY TABLE audit_usage ON COMMIT DROP AS
WITH ran AS (
    SELECT s.instance_id, lower(s.during) AS since, upper(s.during) AS ended, s.segmented, s.attribution_id,
           CASE WHEN s.fault IS NOT NULL THEN s.fault
                WHEN a.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(s.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN s.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid,
           CASE WHEN upper_inf(s.during)
                THEN tstzrange(lower(s.during), greatest(lower(s.during), CAST(:now AS timestamptz)))
                ELSE s.during
           END * {scope} AS run,
           silent_from(
               s.during, s.started_time, s.last_sign, s.last_source, CAST(:now AS timestamptz), o.name,
               o.stale_after, CAST(:api_stale_after AS interval), CAST(:stale_after AS interval),
               CAST(:max_instance_age AS interval)
           ) AS silent_since
    FROM instance_segment AS s
    LEFT JOIN account AS a ON a.attribution_id = s.attribution_id
    LEFT JOIN source AS o ON o.name = s.last_source
    WHERE CAST(:attribution_id AS text) IS NULL OR s.attribution_id = :attribution_id
    OFFSET 0  -- compute each range once
),
claimed AS (
    SELECT c.instance_id, {sums}
    CROSS JOIN LATERAL (SELECT c.during * {scope} AS during) AS part
    WHERE c.during && {scope}
      AND (CAST(:attribution_id AS text) IS NULL
           OR c.instance_id IN (SELECT instance_id FROM instance_segment WHERE attribution_id = :attribution_id))
    GROUP BY c.instance_id
)
SELECT ran.instance_id, ran.since, ran.ended, ran.segmented, ran.attribution_id, ran.invalid, ran.run,
       tstzmultirange(CASE WHEN ran.silent_since IS NULL THEN 'empty' ELSE tstzrange(ran.silent_since, NULL) END)
       AS silent,
       CASE WHEN isempty(ran.run) THEN interval '0' ELSE upper(ran.run) - lower(ran.run) END AS runtime,
       coalesce(claimed.billed, '0') AS billed, coalesce(claimed.open, '0') AS open,
       coalesce(claimed.written_off, '0') AS written_off,
       coalesce(claimed.during, '{}'::tstzmultirange) AS claimed
FROM ran
LEFT JOIN claimed USING (instance_id)
WHERE CAST(:start AS timestamptz) IS NULL AND CAST(:end AS timestamptz) IS NULL OR NOT isempty(ran.run);

-- name: scope
tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))

-- name: sums
-- Plain sums: usage that is claimed twice counts twice.
sum(upper(part.during) - lower(part.during)) FILTER (WHERE i.state IN ({billed}))
       AS billed,
       sum(upper(part.during) - lower(part.during)) FILTER (
           WHERE i.state IS NULL OR i.state IN ({open})
       ) AS open,
       sum(upper(part.during) - lower(part.during)) FILTER (WHERE i.state IN ({dead})) AS written_off,
       range_agg(part.during) AS during
FROM claim AS c
LEFT JOIN invoice AS i ON i.id = c.invoice_id

-- name: clip_usage
-- Of claims that reach beyond the segment (the instance has others, or a stop was corrected), only the part within it
-- counts.
UPDATE audit_usage AS u
SET billed = coalesce(within.billed, '0'), open = coalesce(within.open, '0'),
    written_off = coalesce(within.written_off, '0'), claimed = coalesce(within.during, '{}'::tstzmultirange)
FROM (
    SELECT odd.instance_id, odd.since, found.billed, found.open, found.written_off, found.during
    FROM (SELECT instance_id, since FROM audit_usage WHERE NOT claimed <@ run) AS odd
    LEFT JOIN (
        SELECT c.instance_id, beyond.since, {sums}
        JOIN (SELECT instance_id, since, run FROM audit_usage WHERE NOT claimed <@ run) AS beyond
            ON instance_key(beyond.instance_id) = instance_key(c.instance_id)
        CROSS JOIN LATERAL (SELECT c.during * beyond.run AS during) AS part
        WHERE NOT isempty(part.during)
        GROUP BY c.instance_id, beyond.since
    ) AS found ON found.instance_id = odd.instance_id AND found.since IS NOT DISTINCT FROM odd.since
) AS within
WHERE within.instance_id = u.instance_id AND within.since IS NOT DISTINCT FROM u.since;

-- name: create_rest
-- The unclaimed rest, measured as sets of instants: added to sums that count a double claim twice, it exceeds the
-- runtime.
CREATE TEMPORARY TABLE audit_rest ON COMMIT DROP AS
WITH {payer},
rest AS (
    SELECT u.instance_id, u.since, u.invalid, tstzmultirange(u.run) - u.claimed AS unclaimed, u.silent, payer.windows,
           payer.trial, payer.paused, payer.early, payer.unrated, payer.chargeable
    FROM audit_usage AS u
    LEFT JOIN payer ON u.invalid IS NULL AND payer.attribution_id = u.attribution_id
    WHERE NOT u.run <@ u.claimed
    OFFSET 0
)
SELECT rest.instance_id, rest.since,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'excluded'), '0') AS excluded,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'stale'), '0') AS stale,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'uncovered'), '0') AS uncovered,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'trial'), '0') AS trial,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'paused'), '0') AS paused,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'early'), '0') AS early,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'unrated'), '0') AS unrated,
       coalesce(sum(upper(part) - lower(part)) FILTER (WHERE fate = 'unbilled'), '0') AS unbilled
FROM rest
CROSS JOIN LATERAL (
    SELECT 'excluded' AS fate, unnest(rest.unclaimed) AS part WHERE rest.invalid IS NOT NULL
    UNION ALL
    SELECT 'stale', unnest(rest.unclaimed * rest.silent) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'uncovered', unnest(rest.unclaimed - rest.silent - rest.windows) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'trial', unnest((rest.unclaimed - rest.silent) * rest.trial) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'paused', unnest((rest.unclaimed - rest.silent) * rest.paused) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'early', unnest((rest.unclaimed - rest.silent) * rest.early) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'unrated', unnest((rest.unclaimed - rest.silent) * rest.unrated) WHERE rest.invalid IS NULL
    UNION ALL
    SELECT 'unbilled', unnest((rest.unclaimed - rest.silent) * rest.chargeable) WHERE rest.invalid IS NULL
) AS parts
GROUP BY rest.instance_id, rest.since;

-- name: fates
SELECT u.instance_id, u.attribution_id, u.invalid, u.runtime, u.billed, u.open, u.written_off,
       coalesce(r.excluded, '0') AS excluded, coalesce(r.stale, '0') AS stale, coalesce(r.uncovered, '0') AS uncovered,
       coalesce(r.trial, '0') AS trial, coalesce(r.paused, '0') AS paused, coalesce(r.early, '0') AS early,
       coalesce(r.unrated, '0') AS unrated, coalesce(r.unbilled, '0') AS unbilled
FROM audit_usage AS u
LEFT JOIN audit_rest AS r ON r.instance_id = u.instance_id AND r.since IS NOT DISTINCT FROM u.since

-- name: figures
-- In microseconds, by the reason why instances are invalid. Summed by account first, so that intervals stay small.
SELECT invalid,
       CAST(sum(extract(epoch FROM runtime) * 1000000) AS numeric(40, 0)) AS runtime_us,
       CAST(sum(extract(epoch FROM billed) * 1000000) AS numeric(40, 0)) AS billed_us,
       CAST(sum(extract(epoch FROM open) * 1000000) AS numeric(40, 0)) AS open_us,
       CAST(sum(extract(epoch FROM written_off) * 1000000) AS numeric(40, 0)) AS written_off_us,
       CAST(sum(extract(epoch FROM excluded) * 1000000) AS numeric(40, 0)) AS excluded_us,
       CAST(sum(extract(epoch FROM stale) * 1000000) AS numeric(40, 0)) AS stale_us,
       CAST(sum(extract(epoch FROM uncovered) * 1000000) AS numeric(40, 0)) AS uncovered_us,
       CAST(sum(extract(epoch FROM trial) * 1000000) AS numeric(40, 0)) AS trial_us,
       CAST(sum(extract(epoch FROM paused) * 1000000) AS numeric(40, 0)) AS paused_us,
       CAST(sum(extract(epoch FROM early) * 1000000) AS numeric(40, 0)) AS early_us,
       CAST(sum(extract(epoch FROM unrated) * 1000000) AS numeric(40, 0)) AS unrated_us,
       CAST(sum(extract(epoch FROM unbilled) * 1000000) AS numeric(40, 0)) AS unbilled_us
FROM (
    SELECT attribution_id, invalid,
           sum(runtime) AS runtime, sum(billed) AS billed, sum(open) AS open, sum(written_off) AS written_off,
           sum(excluded) AS excluded, sum(stale) AS stale, sum(uncovered) AS uncovered,
           sum(trial) AS trial, sum(paused) AS paused, sum(early) AS early, sum(unrated) AS unrated, sum(unbilled) AS unbilled
    FROM ({fates}) AS u
    GROUP BY attribution_id, invalid
) AS of_account
GROUP BY invalid;

-- name: instances
-- One with several segments, of whichever accounts, counts once.
SELECT count(*) FILTER (WHERE NOT segmented) + count(DISTINCT instance_id) FILTER (WHERE segmented) FROM audit_usage;

-- name: not_conserved
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'not_conserved', u.attribution_id, u.instance_id,
       'it ran ' || us.runtime || ' us, but the parts add up to ' || us.parts || ' us: ' || us.billed || ' billed, '
       || us.open || ' open, ' || us.written_off || ' written off, ' || us.excluded || ' excluded, ' || us.unbilled
       || ' not yet billed'
FROM ({fates}) AS u
CROSS JOIN LATERAL (
    SELECT u.excluded + u.stale + u.uncovered + u.trial + u.paused + u.early + u.unrated AS excluded
) AS without
CROSS JOIN LATERAL (
    SELECT without.excluded, u.billed + u.open + u.written_off + without.excluded + u.unbilled AS total
) AS parts
CROSS JOIN LATERAL (
    SELECT CAST(extract(epoch FROM u.runtime) * 1000000 AS bigint) AS runtime,
           CAST(extract(epoch FROM u.billed) * 1000000 AS bigint) AS billed,
           CAST(extract(epoch FROM u.open) * 1000000 AS bigint) AS open,
           CAST(extract(epoch FROM u.written_off) * 1000000 AS bigint) AS written_off,
           CAST(extract(epoch FROM parts.excluded) * 1000000 AS bigint) AS excluded,
           CAST(extract(epoch FROM u.unbilled) * 1000000 AS bigint) AS unbilled,
           CAST(extract(epoch FROM parts.total) * 1000000 AS bigint) AS parts
) AS us
WHERE u.runtime <> parts.total
ORDER BY u.instance_id;

-- name: unread
-- Usage that no claim reads, since it ended before its account's mark, and that could be billed all the same. The next
-- claim reads it: what is found is reopened.
WITH {payer},
mark AS MATERIALIZED (
    SELECT a.attribution_id, least(
               a.claimed_until,
               (SELECT min(r.since) FROM reopened_usage AS r WHERE r.attribution_id = a.attribution_id),
               lower(payer.chargeable * tstzmultirange(tstzrange(NULL, a.claimed_until)) - a.claimed_windows)
           ) AS until
    FROM account AS a
    JOIN payer USING (attribution_id)
    WHERE a.claimed_until IS NOT NULL
),
unread AS MATERIALIZED (
    SELECT u.attribution_id, u.instance_id, u.ended, mark.until,
           CAST(extract(epoch FROM r.unbilled) * 1000000 AS bigint) AS us
    FROM audit_rest AS r
    JOIN audit_usage AS u ON u.instance_id = r.instance_id AND u.since IS NOT DISTINCT FROM r.since
    JOIN mark ON mark.attribution_id = u.attribution_id
    WHERE r.unbilled > '0' AND u.ended <= mark.until
),
reopened AS (
    INSERT INTO reopened_usage (attribution_id, since)
    SELECT attribution_id, min(ended) - interval '1 microsecond' FROM unread GROUP BY attribution_id
)
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'unread_usage', attribution_id, instance_id,
       us || ' us are on no invoice, but ended by ' || (to_json(ended) #>> '{}')
       || ', and the usage of the account until ' || (to_json(until) #>> '{}') || ' counts as claimed'
FROM unread
ORDER BY instance_id, ended;

-- name: create_unbilled
-- Unbilled usage that could be billed, of months that have ended, by account, currency and month.
CREATE TEMPORARY TABLE audit_unbilled ON COMMIT DROP AS
WITH {payer},
rest AS (
    SELECT u.attribution_id, own.currency, u.instance_id, piece
    FROM audit_usage AS u
    JOIN payer USING (attribution_id)
    JOIN (
        SELECT attribution_id, currency, range_agg(during) AS during FROM subscription GROUP BY attribution_id, currency
    ) AS own USING (attribution_id)
    CROSS JOIN LATERAL unnest((tstzmultirange(u.run) - u.claimed - u.silent) * payer.chargeable * own.during) AS piece
    WHERE u.invalid IS NULL AND NOT u.run <@ u.claimed
)
SELECT rest.attribution_id, rest.currency, m.name AS month, m.until, count(DISTINCT rest.instance_id) AS instances,
       min(rest.instance_id) AS instance_id,
       CAST(extract(epoch FROM sum(least(upper(piece), m.until) - greatest(lower(piece), m.since))) * 1000000
            AS bigint) AS us
FROM rest
JOIN unnest(CAST(:months AS text[]), CAST(:months_from AS timestamptz[]), CAST(:months_to AS timestamptz[]))
    AS m (name, since, until) ON m.since < upper(piece) AND m.until > lower(piece)
GROUP BY rest.attribution_id, rest.currency, m.name, m.until;

-- name: first_chargeable
-- Nothing before this can be billed, whenever instances started.
SELECT greatest(min(lower(during)), CAST(:first_rate AS timestamptz), CAST(:bill_after AS timestamptz)) FROM subscription;
