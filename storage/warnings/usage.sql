-- name: staged
-- The instances of an imported file, as they are known after the import.
WITH row AS MATERIALIZED (
    SELECT id, min(line) AS line FROM staged_instance GROUP BY id
),
usage AS (
    SELECT {columns}, row.line
    FROM row
    JOIN instance_segment AS s ON s.instance_id = row.id
    LEFT JOIN source AS o ON o.name = s.last_source
),
{found};

-- name: during
-- The instances that ran within [start, as_of), of one account or of all.
WITH usage AS (
    SELECT {columns}, CAST(NULL AS bigint) AS line
    FROM instance_segment AS s
    LEFT JOIN source AS o ON o.name = s.last_source
    WHERE (s.during && {scope} OR s.fault = 'starts_before_creation' AND s.started_time <@ {scope})
      AND (CAST(:attribution_id AS text) IS NULL OR s.attribution_id = :attribution_id)
),
{found};

-- name: columns
s.instance_id, s.attribution_id, s.workspace_class, s.started_time, s.fault,
           s.during * {scope} AS during, upper_inf(s.during) AS runs, s.last_sign,
           upper_inf(s.during) AND s.last_sign < o.snapshot_at AND o.removed_at IS NULL AS absent

-- name: scope
tstzrange(CAST(:start AS timestamptz), CAST(:as_of AS timestamptz))

-- name: found
-- By subject: how many instances it concerns, and the first of them; by kind: how many subjects there are.
-- A class is unknown where it was used while no rate version in force had it, and nothing has been billed.
rated AS MATERIALIZED (
    SELECT workspace_class, range_agg(tstzrange(since, until)) AS during
    FROM unnest(
        CAST(:classes AS text[]), CAST(:classes_since AS timestamptz[]), CAST(:classes_until AS timestamptz[])
    ) AS version (workspace_class, since, until)
    GROUP BY workspace_class
),
judged AS (
    SELECT usage.*,
           usage.runs AND usage.started_time < CAST(:long_before AS timestamptz) AS runs_long,
           CAST(:cards AS integer) > 0
           AND usage.workspace_class <> ''
           AND NOT usage.during * tstzrange(CAST(:first_rate AS timestamptz), NULL)
               <@ coalesce(rated.during, '{}'::tstzmultirange) AS class_unknown,
           rated.during AS rated,
           a.attribution_id IS NULL AS account_unknown,
           usage.fault IS NOT DISTINCT FROM 'starts_before_creation' AS starts_early
    FROM usage
    LEFT JOIN account AS a USING (attribution_id)
    LEFT JOIN rated USING (workspace_class)
    OFFSET 0  -- judge each segment once, and only the suspect ones by kind
),
suspect AS (
    SELECT reason.kind, reason.subject, judged.instance_id, judged.line,
           CASE WHEN reason.kind = 'absent' THEN judged.last_sign ELSE judged.started_time END AS since
    FROM judged
    CROSS JOIN LATERAL (
        SELECT 'runs_long' AS kind, judged.instance_id AS subject WHERE judged.runs_long
        UNION ALL
        SELECT 'absent', judged.instance_id WHERE judged.absent
        UNION ALL
        SELECT 'unknown_class', judged.workspace_class
        WHERE judged.class_unknown
          AND NOT isempty(
              tstzmultirange(judged.during * tstzrange(CAST(:first_rate AS timestamptz), NULL))
              - coalesce(judged.rated, '{}')
              - coalesce((SELECT range_agg(c.during) FROM claim AS c
                          WHERE instance_key(c.instance_id) = instance_key(judged.instance_id)), '{}')
          )
        UNION ALL
        SELECT 'unknown_account', judged.attribution_id
        WHERE judged.account_unknown AND judged.attribution_id ~ :attribution_id_pattern
        UNION ALL
        SELECT 'malformed_id', coalesce(nullif(judged.attribution_id, ''), :no_id)
        WHERE judged.account_unknown AND (judged.attribution_id ~ :attribution_id_pattern) IS NOT TRUE
        UNION ALL
        SELECT 'starts_before_creation', judged.instance_id WHERE judged.starts_early
    ) AS reason
    WHERE judged.runs_long OR judged.absent OR judged.class_unknown OR judged.account_unknown OR judged.starts_early
),
subject AS (
    SELECT kind, subject, count(DISTINCT instance_id) AS instances, min(instance_id) AS instance_id, min(line) AS line,
           min(since) AS since
    FROM suspect
    WHERE NOT EXISTS (
        SELECT FROM accepted_warning AS w WHERE w.kind = suspect.kind AND w.subject IN (suspect.subject, :any_subject)
    )
    GROUP BY kind, subject
),
placed AS (
    SELECT subject.*, count(*) OVER (PARTITION BY kind) AS subjects,
           row_number() OVER (PARTITION BY kind ORDER BY line, since, subject) AS place
    FROM subject
)
SELECT kind, subjects, subject, instances, instance_id, line, since
FROM placed
WHERE place <= :most
ORDER BY kind, place

-- name: overlapping
-- Instances of one workspace that ran at once: of each workspace the first two. None overlap before these, so that the
-- latest end until then is that of the instance before.
WITH usage AS (
    SELECT s.workspace_id, s.instance_id, s.during * {scope} AS during
    FROM instance_segment AS s
    WHERE s.fault IS NULL
      AND s.workspace_id <> ''
      AND s.during && {scope}
      AND (CAST(:attribution_id AS text) IS NULL OR s.attribution_id = :attribution_id)
),
ordered AS (
    SELECT workspace_id, instance_id, during,
           lag(instance_id) OVER workspace AS other,
           lag(upper(during)) OVER workspace AS other_end
    FROM usage
    WINDOW workspace AS (PARTITION BY workspace_id ORDER BY lower(during), instance_id)
),
first AS (
    SELECT DISTINCT ON (workspace_id) workspace_id AS subject, instance_id, other, lower(during) AS since,
           least(upper(during), other_end) AS until
    FROM ordered
    WHERE lower(during) < other_end
      AND NOT EXISTS (
          SELECT FROM accepted_warning AS a
          WHERE a.kind = 'overlapping' AND a.subject IN (workspace_id, :any_subject)
      )
    ORDER BY workspace_id, lower(during), instance_id
)
SELECT subject, instance_id, other, since, until, count(*) OVER () AS subjects
FROM first
ORDER BY since, subject
LIMIT :most;
