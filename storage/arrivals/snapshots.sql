-- name: drop
DROP TABLE IF EXISTS pg_temp.seen_instance;

-- name: create
CREATE TEMPORARY TABLE seen_instance (id text COLLATE "C" PRIMARY KEY);

-- name: note
INSERT INTO seen_instance SELECT * FROM unnest(CAST(:ids AS text[])) ON CONFLICT DO NOTHING;

-- name: sign
-- Of several sources the latest read counts; of one instant, the source that comes last.
UPDATE workspace_instance AS w
SET seen_at = CAST(:at AS timestamptz), seen_by = CAST(:source AS text)
FROM seen_instance AS s
WHERE w.id = s.id AND (w.seen_at, w.seen_by) < (CAST(:at AS timestamptz), CAST(:source AS text)) IS NOT FALSE;
