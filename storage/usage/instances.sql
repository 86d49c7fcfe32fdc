-- name: one_at_a_time
-- Imports of instances wait for each other: what a row is compared with stays until the row is stored.
SELECT pg_advisory_xact_lock(:key);

-- name: create_batch
CREATE TEMPORARY TABLE batch (
    LIKE staged_instance,
    PRIMARY KEY (id)
) ON COMMIT DROP;

-- name: fill_batch
INSERT INTO batch
SELECT *
FROM staged_instance
WHERE position > :after
ORDER BY position
LIMIT :size;

-- name: measure_batch
SELECT count(*) AS rows, max(position) AS last FROM batch;

-- name: analyze_batch
ANALYZE batch;

-- name: keep_missing
-- A column that a row does not have leaves the known value alone.
UPDATE batch AS b
SET attribution_id = CASE WHEN 'attribution_id' = ANY (b.missing) THEN w.attribution_id ELSE b.attribution_id END,
    workspace_id = CASE WHEN 'workspace_id' = ANY (b.missing) THEN w.workspace_id ELSE b.workspace_id END,
    project_id = CASE WHEN 'project_id' = ANY (b.missing) THEN w.project_id ELSE b.project_id END,
    owner_id = CASE WHEN 'owner_id' = ANY (b.missing) THEN w.owner_id ELSE b.owner_id END,
    workspace_class = CASE WHEN 'workspace_class' = ANY (b.missing) THEN w.workspace_class ELSE b.workspace_class END,
    workspace_type = CASE WHEN 'workspace_type' = ANY (b.missing) THEN w.workspace_type ELSE b.workspace_type END,
    creation_time = CASE WHEN 'creation_time' = ANY (b.missing) THEN w.creation_time ELSE b.creation_time END,
    started_time = CASE WHEN 'started_time' = ANY (b.missing) THEN w.started_time ELSE b.started_time END,
    stopping_time = CASE WHEN 'stopping_time' = ANY (b.missing) THEN w.stopping_time ELSE b.stopping_time END,
    stopped_time = CASE WHEN 'stopped_time' = ANY (b.missing) THEN w.stopped_time ELSE b.stopped_time END
FROM workspace_instance AS w
WHERE w.id = b.id AND cardinality(b.missing) > 0;

-- name: default_creation_time
-- No price depends on it: an instance whose creation is not known was created when it started.
UPDATE batch SET creation_time = started_time WHERE creation_time IS NULL AND started_time IS NOT NULL;

-- name: refuse_reopened
-- A known stop stays: a row without one is an older export, or its stop was lost on the way.
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id
  AND coalesce(w.stopping_time, w.stopped_time) IS NOT NULL
  AND coalesce(b.stopping_time, b.stopped_time) IS NULL
RETURNING b.line, b.id,
    CASE WHEN w.stopping_time IS NULL THEN 'stopped_time' ELSE 'stopping_time' END AS "column",
    least(w.stopping_time, w.stopped_time) AS stopped;

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
WITH written AS (
    INSERT INTO workspace_instance AS w (
        id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
        creation_time, started_time, stopping_time, stopped_time
    )
    SELECT id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
           creation_time, started_time, stopping_time, stopped_time
    FROM batch
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
