-- name: record
INSERT INTO decision (kind, subject, decided_by, reason) VALUES (:kind, :subject, :by, :reason);

-- name: list
SELECT id, kind, subject, decided_by, reason, decided_at
FROM decision
WHERE id < :before AND (CAST(:subject AS text) IS NULL OR subject = :subject)
ORDER BY id DESC
LIMIT :limit;
