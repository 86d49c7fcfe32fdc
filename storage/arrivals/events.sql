-- name: given
SELECT *
FROM unnest(
    CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:arrivals AS uuid[]), CAST(:instance_ids AS text[]),
    CAST(:at AS timestamptz[]), CAST(:kinds AS text[]), CAST(:contents AS text[]), CAST(:digests AS uuid[])
) WITH ORDINALITY AS g (source, id, arrival, instance_id, at, kind, content, digest, place)

-- name: accept
-- Ids are inserted in one order by all, so that two requests with the same events cannot wait for each other.
WITH given AS (
    {given}
),
new AS (
    INSERT INTO received_event (source, id, digest)
    SELECT source, id, arrival FROM given WHERE kind <> 'alive' ORDER BY source, id
    ON CONFLICT DO NOTHING
    RETURNING source, id
),
kept AS (
    INSERT INTO pending_fact (instance_id, at, source, kind, content, digest)
    SELECT g.instance_id, g.at, g.source, g.kind, g.content, g.digest
    FROM given AS g
    LEFT JOIN new USING (source, id)
    WHERE CASE WHEN g.kind = 'alive'
               THEN NOT EXISTS (SELECT FROM received_event AS r WHERE (r.source, r.id) = (g.source, g.id))
               ELSE new.id IS NOT NULL END
    ORDER BY g.place
)
SELECT source, id FROM new;

-- name: known
-- A statement of its own: it sees what another request has committed while `accept` waited for it.
SELECT r.source, r.id, r.digest
FROM received_event AS r
JOIN unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS asked (source, id) USING (source, id);

-- name: forget
DELETE FROM received_event AS r
USING (
    SELECT source, id FROM received_event WHERE received_at < now() - CAST(:age AS interval) LIMIT :most
) AS old
WHERE (r.source, r.id) = (old.source, old.id);

-- name: correct
INSERT INTO pending_fact (instance_id, at, source, kind, content, digest, corrects)
SELECT instance_id, at, source, kind, content, digest, true
FROM ({given}) AS g
ORDER BY place;
