-- name: create
CREATE TEMPORARY TABLE staged_instance (
    position         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line             bigint NOT NULL,
    id               text COLLATE "C" NOT NULL,
    attribution_id   text COLLATE "C",
    workspace_id     text,
    project_id       text,
    owner_id         text,
    workspace_class  text COLLATE "C",
    workspace_type   text,
    creation_time    timestamptz,
    started_time     timestamptz,
    stopping_time    timestamptz,
    stopped_time     timestamptz,
    quantity         numeric,
    missing          text[] NOT NULL,  -- the columns that the row does not have
    updated_at       timestamptz,      -- with it the row is a fact, of this digest and content
    digest           uuid,
    content          text
);

-- name: drop
DROP TABLE IF EXISTS pg_temp.staged_instance;

-- name: analyze
ANALYZE staged_instance (id, updated_at);

-- name: repeated
SELECT id, max(position) AS last FROM staged_instance WHERE updated_at IS NULL GROUP BY id HAVING count(*) > 1

-- name: refuse_contradictions
-- Rows with an update time are facts and contradict nothing. Each other row is compared with the one before it that has
-- the same id: the cost grows with the file, not with its square.
-- A refused row names the row of the nearest contradiction: one above it, or the first below.
WITH pair AS (
    SELECT own AS this, lag(own) OVER (PARTITION BY own.id ORDER BY own.position) AS before
    FROM staged_instance AS own
    WHERE own.updated_at IS NULL AND own.id IN (SELECT id FROM ({repeated}) AS r)
),
compared AS (
    SELECT (this).position, (this).line, (this).id, (before).line AS line_before, {difference} AS difference
    FROM pair
),
placed AS (
    SELECT position, line, id, coalesce(
        max(position) FILTER (WHERE difference IS NOT NULL) OVER (PARTITION BY id ORDER BY position),
        min(position) FILTER (WHERE difference IS NOT NULL) OVER (PARTITION BY id)
    ) AS contradiction
    FROM compared
)
DELETE FROM staged_instance AS s
USING placed AS p
JOIN compared AS c ON c.position = p.contradiction
WHERE s.position = p.position
RETURNING s.line, s.id, c.difference AS "column",
    CASE WHEN c.position <= s.position THEN c.line_before ELSE c.line END AS other;

-- name: difference
-- The first column in which a row contradicts the one before it. A row may add a stop.
CASE
    WHEN (before).position IS NULL THEN NULL
    WHEN (this).attribution_id IS DISTINCT FROM (before).attribution_id THEN 'attribution_id'
    WHEN (this).workspace_id IS DISTINCT FROM (before).workspace_id THEN 'workspace_id'
    WHEN (this).project_id IS DISTINCT FROM (before).project_id THEN 'project_id'
    WHEN (this).owner_id IS DISTINCT FROM (before).owner_id THEN 'owner_id'
    WHEN (this).quantity IS DISTINCT FROM (before).quantity THEN 'quantity'
    WHEN (this).workspace_class IS DISTINCT FROM (before).workspace_class THEN 'workspace_class'
    WHEN (this).workspace_type IS DISTINCT FROM (before).workspace_type THEN 'workspace_type'
    WHEN (this).creation_time IS DISTINCT FROM (before).creation_time THEN 'creation_time'
    WHEN (this).started_time IS DISTINCT FROM (before).started_time THEN 'started_time'
    WHEN (before).stopping_time IS NOT NULL AND (this).stopping_time IS DISTINCT FROM (before).stopping_time
        THEN 'stopping_time'
    WHEN (before).stopped_time IS NOT NULL AND (this).stopped_time IS DISTINCT FROM (before).stopped_time
        THEN 'stopped_time'
    WHEN array_remove(array_remove((this).missing, 'stopping_time'), 'stopped_time')
        <> array_remove(array_remove((before).missing, 'stopping_time'), 'stopped_time') THEN 'row'
END

-- name: drop_repeated
DELETE FROM staged_instance AS s
USING ({repeated}) AS r
WHERE s.id = r.id AND s.updated_at IS NULL AND s.position < r.last;

-- name: drop_repeated_facts
DELETE FROM staged_instance AS s
USING (
    SELECT position, row_number() OVER (PARTITION BY id, updated_at, digest ORDER BY position) AS number
    FROM staged_instance
    WHERE updated_at IS NOT NULL
) AS r
WHERE s.position = r.position AND r.number > 1;

-- name: empty
TRUNCATE pg_temp.staged_instance;

-- name: forget_facts
DELETE FROM staged_instance WHERE updated_at IS NOT NULL;

-- name: has_facts
SELECT EXISTS (SELECT FROM staged_instance WHERE updated_at IS NOT NULL);
