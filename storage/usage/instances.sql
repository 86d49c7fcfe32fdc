-- name: one_at_a_time
-- Imports of instances wait for each other: what a row is compared with stays until the row is stored.
SELECT pg_advisory_xact_lock(:key);

-- name: create_batch
CREATE TEMPORARY TABLE batch (
    LIKE staged_instance,
    PRIMARY KEY (id)
) ON COMMIT DROP;

-- name: drop_batch
DROP TABLE batch;

-- name: take_rows
-- The next rows of the file: those of unknown instances are stored, those that change a known one go to the batch. The
-- known ones are found one by one: the cost does not grow with the table.
WITH next AS MATERIALIZED (
    SELECT * FROM staged_instance WHERE position > :after AND updated_at IS NULL ORDER BY position LIMIT :size
),
known AS MATERIALIZED (
    SELECT w.*
    FROM next
    CROSS JOIN LATERAL (SELECT * FROM workspace_instance AS w WHERE w.id = next.id OFFSET 0) AS w
),
fresh AS (
    -- No price depends on the creation: an instance whose creation is not known was created when it started.
    INSERT INTO workspace_instance (
        id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type, quantity,
        creation_time, started_time, stopping_time, stopped_time
    )
    SELECT id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
           coalesce(quantity, 1), coalesce(creation_time, started_time), started_time, stopping_time, stopped_time
    FROM next
    WHERE NOT EXISTS (SELECT FROM known WHERE known.id = next.id)
    RETURNING id
),
changing AS (
    INSERT INTO batch (
        position, line, id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type,
        creation_time, started_time, stopping_time, stopped_time, quantity, missing
    )
    SELECT b.*
    FROM known AS w
    JOIN next USING (id)
    CROSS JOIN LATERAL (SELECT {merged} OFFSET 0) AS b
    WHERE w.last_sign IS NOT NULL OR w.segmented OR {differs}
    RETURNING id
)
SELECT (SELECT count(*) FROM next) AS rows,
       (SELECT max(position) FROM next) AS last,
       (SELECT count(*) FROM fresh) AS inserted,
       (SELECT count(*) FROM changing) AS changing;

-- name: merged
-- A column that a row does not have leaves the known value alone.
next.position, next.line, next.id,
    CASE WHEN 'attribution_id' = ANY (next.missing) THEN w.attribution_id ELSE next.attribution_id END
        AS attribution_id,
    CASE WHEN 'workspace_id' = ANY (next.missing) THEN w.workspace_id ELSE next.workspace_id END AS workspace_id,
    CASE WHEN 'project_id' = ANY (next.missing) THEN w.project_id ELSE next.project_id END AS project_id,
    CASE WHEN 'owner_id' = ANY (next.missing) THEN w.owner_id ELSE next.owner_id END AS owner_id,
    CASE WHEN 'workspace_class' = ANY (next.missing) THEN w.workspace_class ELSE next.workspace_class END
        AS workspace_class,
    CASE WHEN 'workspace_type' = ANY (next.missing) THEN w.workspace_type ELSE next.workspace_type END
        AS workspace_type,
    coalesce(
        CASE WHEN 'creation_time' = ANY (next.missing) THEN w.creation_time ELSE next.creation_time END,
        CASE WHEN 'started_time' = ANY (next.missing) THEN w.started_time ELSE next.started_time END
    ) AS creation_time,
    CASE WHEN 'started_time' = ANY (next.missing) THEN w.started_time ELSE next.started_time END AS started_time,
    CASE WHEN 'stopping_time' = ANY (next.missing) THEN w.stopping_time ELSE next.stopping_time END AS stopping_time,
    CASE WHEN 'stopped_time' = ANY (next.missing) THEN w.stopped_time ELSE next.stopped_time END AS stopped_time,
    CASE WHEN 'quantity' = ANY (next.missing) THEN w.quantity ELSE coalesce(next.quantity, 1) END AS quantity,
    next.missing

-- name: differs
(w.attribution_id, w.workspace_id, w.project_id, w.owner_id, w.workspace_class, w.workspace_type, w.quantity,
 w.creation_time, w.started_time, w.stopping_time, w.stopped_time)
    IS DISTINCT FROM
(b.attribution_id, b.workspace_id, b.project_id, b.owner_id, b.workspace_class, b.workspace_type, b.quantity,
 b.creation_time, b.started_time, b.stopping_time, b.stopped_time)

-- name: analyze_batch
ANALYZE batch (id);

-- name: now
SELECT now();

-- name: forget_facts
-- The row is all that counts from now on: without an update time, it is no fact.
WITH replaced AS (
    UPDATE usage_fact
    SET replaced_at = now()
    WHERE instance_id IN (SELECT id FROM batch) AND replaced_at IS NULL
),
gone AS (
    DELETE FROM segment WHERE instance_id IN (SELECT id FROM batch)
)
UPDATE workspace_instance
SET last_sign = NULL, last_source = NULL, seen_at = NULL, seen_by = NULL, segmented = false
WHERE id IN (SELECT id FROM batch) AND (segmented OR last_sign IS NOT NULL OR seen_at IS NOT NULL)
RETURNING id;

-- name: note_payers
-- Every account of the instances that have, or have had, more than one.
INSERT INTO instance_payer (attribution_id, instance_id)
SELECT payer.attribution_id, b.id
FROM batch AS b
JOIN workspace_instance AS w ON w.id = b.id
CROSS JOIN LATERAL unnest(ARRAY[w.attribution_id, b.attribution_id]) AS payer (attribution_id)
WHERE w.attribution_id <> b.attribution_id AND w.attribution_id <> '' AND b.attribution_id <> ''
ON CONFLICT DO NOTHING;

-- name: restarts
-- The row says that the instance has begun another run, or, without a start, that another run has stopped.
coalesce(
    CASE WHEN b.started_time IS NULL
         THEN w.started_time IS NOT NULL
              AND least(b.stopping_time, b.stopped_time) <> least(w.stopping_time, w.stopped_time)
         ELSE b.started_time >= least(w.stopping_time, w.stopped_time)
              AND b.started_time IS DISTINCT FROM w.started_time
    END, false
)

-- name: refuse_untimed
-- Facts are ordered by their instants: a row without one has no place among them.
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id AND w.last_sign IS NOT NULL
RETURNING b.line, b.id, w.last_sign;

-- name: pass_over_known_runs
-- An older export has earlier runs as they are known.
DELETE FROM batch AS b
USING workspace_instance AS w, segment AS s
WHERE w.id = b.id
  AND s.instance_id = b.id
  AND b.started_time < w.started_time
  AND s.during = tstzrange(b.started_time, greatest(b.started_time, least(b.stopping_time, b.stopped_time)))
  AND least(b.stopping_time, b.stopped_time) IS NOT NULL
  AND coalesce(s.attribution_id, '') = coalesce(b.attribution_id, '')
  AND coalesce(nullif(s.workspace_class, ''), :default_class) = coalesce(nullif(b.workspace_class, ''), :default_class)
  AND s.quantity = b.quantity;

-- name: refuse_earlier_runs
-- The last run stays: a row that ends before it, or begins within a run before it, is of an older export.
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id
  AND b.started_time < w.started_time
  AND (least(b.stopping_time, b.stopped_time) <= w.started_time
       OR EXISTS (
           SELECT FROM segment AS s
           WHERE s.instance_id = b.id AND lower(s.during) < w.started_time AND upper(s.during) > b.started_time
       ))
RETURNING b.line, b.id, w.started_time;

-- name: refuse_reopened
-- A known stop stays: a row without one is an older export, or its stop was lost on the way.
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id
  AND coalesce(w.stopping_time, w.stopped_time) IS NOT NULL
  AND coalesce(b.stopping_time, b.stopped_time) IS NULL
  AND NOT {restarts}
RETURNING b.line, b.id,
    CASE WHEN w.stopping_time IS NULL THEN 'stopped_time' ELSE 'stopping_time' END AS "column",
    least(w.stopping_time, w.stopped_time) AS stopped;

-- name: lock_accounts_of_changed
-- A claim freezes what the invoice says about the instance, and bills the times that it has read. Claiming holds the
-- account's lock: under the same lock, an import either is seen by the claim or sees the claim.
-- A correction changes an instance of several segments even if its columns stay.
SELECT lock_accounts(ARRAY(
    SELECT unnest(ARRAY[w.attribution_id, b.attribution_id, s.attribution_id])
    FROM batch AS b
    JOIN workspace_instance AS w ON w.id = b.id
    LEFT JOIN segment AS s ON s.instance_id = w.id
    WHERE CAST(:correct AS boolean) AND w.segmented
       OR (w.attribution_id, w.workspace_id, w.project_id, w.workspace_class, w.quantity,
           w.creation_time, w.started_time, w.stopping_time, w.stopped_time)
        IS DISTINCT FROM
          (b.attribution_id, b.workspace_id, b.project_id, b.workspace_class, b.quantity,
           b.creation_time, b.started_time, b.stopping_time, b.stopped_time)
));

-- name: keep_refused
-- What must not change stays as it is known, and the rest of the row is taken: a stop is never lost. Workspace and
-- project stay as they were invoiced, because reports are rebuilt from them. Class, quantity and payer change at an
-- instant, which this row does not name; time without an account can be given to one if none of it is billed.
WITH judged AS (
    SELECT b.id, b.line, w.workspace_id, w.project_id, w.attribution_id, w.workspace_class, w.quantity,
           coalesce(b.workspace_id, '') AS to_workspace, coalesce(b.project_id, '') AS to_project,
           coalesce(b.attribution_id, '') AS to_account,
           coalesce(nullif(b.workspace_class, ''), :default_class) AS to_class, b.quantity AS to_quantity,
           claimed AND w.workspace_id IS DISTINCT FROM b.workspace_id AS keeps_workspace,
           claimed AND w.project_id IS DISTINCT FROM b.project_id AS keeps_project,
           keeps_terms AND coalesce(w.attribution_id, '') <> coalesce(b.attribution_id, '')
               AND (coalesce(w.attribution_id, '') <> '' OR EXISTS (
                   SELECT FROM claim AS c
                   JOIN instance_segment AS s USING (instance_id)
                   WHERE instance_key(c.instance_id) = instance_key(b.id) AND coalesce(s.attribution_id, '') = '' AND c.during && s.during
               )) AS keeps_account,
           keeps_terms AND coalesce(nullif(w.workspace_class, ''), :default_class)
               <> coalesce(nullif(b.workspace_class, ''), :default_class) AS keeps_class,
           keeps_terms AND w.quantity <> b.quantity AS keeps_quantity
    FROM batch AS b
    JOIN workspace_instance AS w ON w.id = b.id
    CROSS JOIN LATERAL (
        SELECT NOT CAST(:correct AS boolean) AND NOT {restarts} AS keeps_terms,
               EXISTS (SELECT FROM claim AS c WHERE instance_key(c.instance_id) = instance_key(b.id))
               OR EXISTS (SELECT FROM claim_history AS h WHERE h.instance_id = b.id) AS claimed
    ) AS given
    WHERE (w.attribution_id, w.workspace_id, w.project_id, w.workspace_class, w.quantity)
        IS DISTINCT FROM (b.attribution_id, b.workspace_id, b.project_id, b.workspace_class, b.quantity)
    OFFSET 0
),
kept AS (
    UPDATE batch AS b
    SET workspace_id = CASE WHEN j.keeps_workspace THEN j.workspace_id ELSE b.workspace_id END,
        project_id = CASE WHEN j.keeps_project THEN j.project_id ELSE b.project_id END,
        attribution_id = CASE WHEN j.keeps_account THEN j.attribution_id ELSE b.attribution_id END,
        workspace_class = CASE WHEN j.keeps_class THEN j.workspace_class ELSE b.workspace_class END,
        quantity = CASE WHEN j.keeps_quantity THEN j.quantity ELSE b.quantity END
    FROM judged AS j
    WHERE j.id = b.id
      AND (j.keeps_workspace OR j.keeps_project OR j.keeps_account OR j.keeps_class OR j.keeps_quantity)
)
SELECT j.line, j.id, found."column", found.known, found.given, found.by_report
FROM judged AS j
CROSS JOIN LATERAL (
    SELECT 'attribution_id' AS "column", j.attribution_id AS known, j.to_account AS given, false AS by_report
    WHERE j.keeps_account
    UNION ALL
    SELECT 'workspace_class', coalesce(nullif(j.workspace_class, ''), :default_class), j.to_class, false
    WHERE j.keeps_class
    UNION ALL
    SELECT 'quantity', CAST(trim_scale(j.quantity) AS text), CAST(trim_scale(j.to_quantity) AS text), false
    WHERE j.keeps_quantity
    UNION ALL
    SELECT 'workspace_id', j.workspace_id, j.to_workspace, true WHERE j.keeps_workspace
    UNION ALL
    SELECT 'project_id', j.project_id, j.to_project, true WHERE j.keeps_project
) AS found;

-- name: drop_unchanged
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id AND NOT ({differs});

-- name: take_runs
-- The rows of instances with several runs, or with one more: their segments are folded.
DELETE FROM batch AS b
USING workspace_instance AS w
WHERE w.id = b.id AND (w.segmented OR {restarts})
RETURNING b.id, b.attribution_id, b.workspace_id, b.project_id, b.owner_id, b.workspace_class, b.workspace_type,
    b.quantity, b.creation_time, b.started_time, b.stopping_time, b.stopped_time, {restarts} AS restarts;
