-- name: create_batch
CREATE TEMPORARY TABLE batch (
    line             bigint NOT NULL,
    id               text COLLATE "C" PRIMARY KEY,
    attribution_id   text COLLATE "C",
    workspace_id     text,
    project_id       text,
    owner_id         text,
    workspace_class  text COLLATE "C",
    workspace_type   text,
    creation_time    timestamptz,
    started_time     timestamptz,
    stopping_time    timestamptz,
    stopped_time     timestamptz
) ON COMMIT DROP;

-- name: fill_batch
INSERT INTO batch
SELECT *
FROM unnest(
    CAST(:line AS bigint[]), CAST(:id AS text[]), CAST(:attribution_id AS text[]),
    CAST(:workspace_id AS text[]), CAST(:project_id AS text[]), CAST(:owner_id AS text[]),
    CAST(:workspace_class AS text[]), CAST(:workspace_type AS text[]),
    CAST(:creation_time AS timestamptz[]), CAST(:started_time AS timestamptz[]),
    CAST(:stopping_time AS timestamptz[]), CAST(:stopped_time AS timestamptz[])
);

-- name: analyze_batch
ANALYZE batch;

-- name: lock_accounts_of_changed
-- A claim freezes what the invoice says about the instance, and bills the times that it has read. Claiming holds the
-- account's lock: under the same lock, an import either is seen by the claim or sees the claim.
SELECT a.attribution_id
FROM account AS a
WHERE a.attribution_id IN (
    SELECT w.attribution_id
    FROM batch AS b
    JOIN workspace_instance AS w ON w.id = b.id
    WHERE (w.attribution_id, w.workspace_id, w.project_id, w.workspace_class,
           w.creation_time, w.started_time, w.stopping_time, w.stopped_time)
        IS DISTINCT FROM
          (b.attribution_id, b.workspace_id, b.project_id, b.workspace_class,
           b.creation_time, b.started_time, b.stopping_time, b.stopped_time)
)
ORDER BY a.attribution_id
FOR UPDATE;

-- name: refuse_frozen
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id
  AND (w.attribution_id, w.workspace_id, w.project_id, w.workspace_class)
      IS DISTINCT FROM (b.attribution_id, b.workspace_id, b.project_id, b.workspace_class)
  AND EXISTS (SELECT FROM claim AS c WHERE c.instance_id = b.id)
RETURNING b.line,
    CASE WHEN w.attribution_id IS DISTINCT FROM b.attribution_id THEN 'attribution_id'
         WHEN w.workspace_class IS DISTINCT FROM b.workspace_class THEN 'workspace_class'
         WHEN w.workspace_id IS DISTINCT FROM b.workspace_id THEN 'workspace_id'
         ELSE 'project_id'
    END AS "column",
    CASE WHEN w.attribution_id IS DISTINCT FROM b.attribution_id THEN w.attribution_id
         WHEN w.workspace_class IS DISTINCT FROM b.workspace_class THEN w.workspace_class
         WHEN w.workspace_id IS DISTINCT FROM b.workspace_id THEN w.workspace_id
         ELSE w.project_id
    END AS invoiced;

-- name: upsert
-- In a fixed order, so that two imports of the same instances wait for each other and never deadlock.
WITH written AS (
    INSERT INTO workspace_instance AS w (
        id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
        creation_time, started_time, stopping_time, stopped_time
    )
    SELECT id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
           creation_time, started_time, stopping_time, stopped_time
    FROM batch
    ORDER BY id
    ON CONFLICT (id) DO UPDATE
    SET attribution_id = excluded.attribution_id,
        workspace_id = excluded.workspace_id,
        project_id = excluded.project_id,
        owner_id = excluded.owner_id,
        workspace_class = excluded.workspace_class,
        workspace_type = excluded.workspace_type,
        creation_time = excluded.creation_time,
        started_time = excluded.started_time,
        stopping_time = excluded.stopping_time,
        stopped_time = excluded.stopped_time
    WHERE (w.attribution_id, w.workspace_id, w.project_id, w.owner_id, w.workspace_class, w.workspace_type,
           w.creation_time, w.started_time, w.stopping_time, w.stopped_time)
        IS DISTINCT FROM
          (excluded.attribution_id, excluded.workspace_id, excluded.project_id, excluded.owner_id,
           excluded.workspace_class, excluded.workspace_type, excluded.creation_time, excluded.started_time,
           excluded.stopping_time, excluded.stopped_time)
    RETURNING w.id, (w.xmax = 0) AS inserted
)
SELECT count(*) FILTER (WHERE inserted) AS inserted,
       coalesce(array_agg(id) FILTER (WHERE NOT inserted), '{}') AS updated
FROM written;

-- name: overbilled
SELECT DISTINCT c.instance_id
FROM claim AS c
JOIN workspace_instance AS w ON w.id = c.instance_id
WHERE c.instance_id = ANY (CAST(:ids AS text[]))
  AND (c.during <@ w.lifetime) IS NOT TRUE
ORDER BY c.instance_id;
