-- name: known
-- The columns of these instances, and the segments of those that have any, in order.
SELECT w.id, w.attribution_id, w.workspace_id, w.project_id, w.owner_id, w.workspace_class, w.workspace_type, w.quantity,
       w.creation_time, w.started_time, w.stopping_time, w.stopped_time, w.last_sign, w.segmented
FROM workspace_instance AS w
WHERE w.id = ANY (CAST(:ids AS text[]));

-- name: segments
SELECT instance_id, isempty(during) AS is_faulty, coalesce(lower(during), started_time) AS "start",
       coalesce(upper(during), ended_time) AS "end", attribution_id, workspace_class, quantity
FROM segment
WHERE instance_id = ANY (CAST(:ids AS text[]))
ORDER BY instance_id, during, ended_time;

-- name: write_folded
{insert}
SELECT * FROM unnest(
    CAST(:ids AS text[]), CAST(:attribution_id AS text[]), CAST(:workspace_id AS text[]), CAST(:project_id AS text[]),
    CAST(:owner_id AS text[]), CAST(:workspace_class AS text[]), CAST(:workspace_type AS text[]),
    CAST(:quantity AS numeric[]), CAST(:creation_time AS timestamptz[]), CAST(:started_time AS timestamptz[]),
    CAST(:stopping_time AS timestamptz[]), CAST(:stopped_time AS timestamptz[]), CAST(:last_sign AS timestamptz[]),
    CAST(:last_source AS text[]), CAST(:segmented AS boolean[])
)
{overwrite};

-- name: write_batch
-- The rows that are left in it say all about their instances: these have no facts and run once.
{insert}
SELECT id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type, quantity,
       creation_time, started_time, stopping_time, stopped_time, NULL, NULL, false
FROM batch
{overwrite}
RETURNING w.id;

-- name: insert
INSERT INTO workspace_instance AS w (
    id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type, quantity,
    creation_time, started_time, stopping_time, stopped_time, last_sign, last_source, segmented
)

-- name: overwrite
ON CONFLICT (id) DO UPDATE
SET attribution_id = excluded.attribution_id,
    workspace_id = excluded.workspace_id,
    project_id = excluded.project_id,
    owner_id = excluded.owner_id,
    workspace_class = excluded.workspace_class,
    workspace_type = excluded.workspace_type,
    quantity = excluded.quantity,
    creation_time = excluded.creation_time,
    started_time = excluded.started_time,
    stopping_time = excluded.stopping_time,
    stopped_time = excluded.stopped_time,
    last_sign = excluded.last_sign,
    last_source = excluded.last_source,
    segmented = excluded.segmented

-- name: given_segments
-- A faulty run is empty, and keeps its times.
SELECT s.instance_id, CASE WHEN s.is_faulty THEN 'empty' ELSE tstzrange(s.since, s.until) END AS during,
       s.attribution_id, s.workspace_class, s.quantity,
       CASE WHEN s.is_faulty THEN s.since END AS started_time, CASE WHEN s.is_faulty THEN s.until END AS ended_time
FROM unnest(
    CAST(:instance_ids AS text[]), CAST(:faulty AS boolean[]), CAST(:since AS timestamptz[]),
    CAST(:until AS timestamptz[]), CAST(:accounts AS text[]), CAST(:classes AS text[]), CAST(:quantities AS numeric[])
) AS s (instance_id, is_faulty, since, until, attribution_id, workspace_class, quantity)

-- name: drop_segments
DELETE FROM segment AS s
USING ({given_segments}) AS g
WHERE (s.instance_id, s.during) = (g.instance_id, g.during)
  AND (s.attribution_id, s.workspace_class, s.quantity, s.started_time, s.ended_time)
      IS NOT DISTINCT FROM (g.attribution_id, g.workspace_class, g.quantity, g.started_time, g.ended_time);

-- name: write_segments
INSERT INTO segment (instance_id, during, attribution_id, workspace_class, quantity, started_time, ended_time)
{given_segments};

-- name: add_payers
INSERT INTO instance_payer (attribution_id, instance_id)
SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:instance_ids AS text[]))
ON CONFLICT DO NOTHING;
