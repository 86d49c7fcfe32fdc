-- name: keep
INSERT INTO source_fault AS f (source, subject, field, reason)
SELECT CAST(:source AS text), given.*
FROM unnest(CAST(:subjects AS text[]), CAST(:fields AS text[]), CAST(:reasons AS text[])) AS given
ON CONFLICT (source, subject) DO UPDATE
SET field = excluded.field, reason = excluded.reason, last_seen_at = now();

-- name: remove
DELETE FROM source_fault WHERE source = :source AND subject = ANY (CAST(:subjects AS text[]));

-- name: remove_staged
-- The rows without an update time that are staged were taken: what was refused of them in this read was seen since.
DELETE FROM source_fault AS f
USING staged_instance AS s
WHERE f.source = :source AND f.subject = s.id AND f.last_seen_at < :began_at;

-- name: remove_unseen
DELETE FROM source_fault WHERE source = :source AND last_seen_at < :began_at AND starts_with(subject, :prefix);

-- name: all
SELECT subject, field, reason, first_seen_at, last_seen_at
FROM source_fault
WHERE source = :source
ORDER BY last_seen_at DESC, subject
LIMIT :most;
