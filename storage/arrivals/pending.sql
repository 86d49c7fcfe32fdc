-- name: last
SELECT max(position) FROM pending_fact;

-- name: first
SELECT min(position) FROM pending_fact WHERE position <= :upto;

-- name: take
-- The next facts in the order of their acceptance, up to a change between facts and corrections: a correction replaces
-- what was accepted before it. Those of one request have one time.
WITH next AS (
    SELECT position, corrects, source, received_at
    FROM pending_fact
    WHERE position BETWEEN :since AND :upto
    ORDER BY position
    LIMIT :most
),
first AS (
    SELECT * FROM next ORDER BY position LIMIT 1
),
bounded AS (
    SELECT position
    FROM next
    WHERE position < coalesce((
        SELECT min(o.position)
        FROM next AS o
        CROSS JOIN first AS f
        WHERE o.corrects <> f.corrects OR f.corrects AND (o.source, o.received_at) <> (f.source, f.received_at)
    ), :upto + 1)
),
taken AS (
    DELETE FROM pending_fact WHERE position IN (SELECT position FROM bounded)
    RETURNING *
),
row AS (
    SELECT t.*, CAST(t.content AS jsonb) AS given FROM taken AS t
)
INSERT INTO new_fact
SELECT position, position, instance_id, given ->> 'attribution_id', given ->> 'workspace_id', given ->> 'project_id',
       given ->> 'owner_id', given ->> 'workspace_class', given ->> 'workspace_type',
       CAST(given ->> 'creation_time' AS timestamptz),
       CASE WHEN kind = 'started' THEN at ELSE CAST(given ->> 'started_time' AS timestamptz) END,
       CAST(given ->> 'stopping_time' AS timestamptz), CAST(given ->> 'stopped_time' AS timestamptz),
       CAST(given ->> 'quantity' AS numeric),
       ARRAY(SELECT name FROM unnest(CAST(:columns AS text[])) AS name WHERE NOT given ? name),
       at, digest, content, kind, source, received_at, corrects
FROM row;

-- name: drop_earlier_signs
DELETE FROM new_fact AS sign
USING new_fact AS later
WHERE sign.kind = 'alive' AND later.kind = 'alive' AND (later.id, later.source) = (sign.id, sign.source)
  AND (later.updated_at, later.position) > (sign.updated_at, sign.position);

-- name: drop_repeated
DELETE FROM new_fact AS repeated
USING new_fact AS first
WHERE (first.id, first.updated_at, first.source, first.digest)
    = (repeated.id, repeated.updated_at, repeated.source, repeated.digest)
  AND first.position < repeated.position;

-- name: analyze
ANALYZE new_fact;

-- name: taken
SELECT line, id, source, kind, received_at, corrects FROM new_fact ORDER BY line;

-- name: drop_stored_signs
SELECT drop_earlier_signs(CAST(:ids AS text[]));

-- name: give_up
DELETE FROM pending_fact
WHERE position = :position
RETURNING instance_id, source;
