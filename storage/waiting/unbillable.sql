-- name: unbillable
-- By reason, as `period status` has it; what a person has accepted as a warning is left out.
SELECT reason, count(DISTINCT instance_id) AS instances, min(since) AS since, min(attribution_id) AS attribution_id,
       min(instance_id) AS instance_id,
       CAST(coalesce(sum(extract(epoch FROM upper(ran) - lower(ran))) FILTER (WHERE NOT isempty(ran)), 0) * 1000000
            AS bigint) AS duration_us
FROM (
    SELECT s.instance_id, s.attribution_id, coalesce(s.started_time, s.creation_time, CAST(:now AS timestamptz)) AS since,
           s.during * tstzrange(NULL, CAST(:now AS timestamptz)) AS ran,
           CASE WHEN s.fault IS NOT NULL THEN s.fault
                WHEN coalesce(s.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN s.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS reason
    FROM instance_segment AS s
    LEFT JOIN account AS a USING (attribution_id)
    WHERE (s.fault IS NOT NULL OR a.attribution_id IS NULL)
) AS usage
WHERE NOT EXISTS (
    SELECT FROM accepted_warning AS w
    WHERE (w.kind, w.subject) IN (
        ('unknown_account', usage.attribution_id), ('unknown_account', :any_subject),
        ('malformed_id', coalesce(nullif(usage.attribution_id, ''), :no_id)), ('malformed_id', :any_subject),
        ('starts_before_creation', usage.instance_id), ('starts_before_creation', :any_subject)
    )
    AND w.kind = CASE usage.reason
        WHEN 'no_such_account' THEN 'unknown_account'
        WHEN 'malformed_attribution_id' THEN 'malformed_id'
        WHEN 'no_attribution_id' THEN 'malformed_id'
        WHEN 'starts_before_creation' THEN 'starts_before_creation'
    END
)
GROUP BY reason
ORDER BY since, reason;
