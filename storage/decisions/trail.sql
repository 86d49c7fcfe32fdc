-- name: record
INSERT INTO decision (kind, subject, decided_by, reason, origin, address, request)
VALUES (:kind, :subject, :by, :reason, :origin, CAST(:address AS text), CAST(:request AS text))
ON CONFLICT (request, kind, subject) DO NOTHING;

-- name: list
SELECT id, kind, subject, decided_by, reason, decided_at, origin, address
FROM decision
WHERE id < :before
  AND (CAST(:subject AS text) IS NULL OR subject = :subject)
  AND (CAST(:kind AS text) IS NULL OR kind = :kind)
  AND (CAST(:by AS text) IS NULL OR decided_by = :by)
ORDER BY id DESC
LIMIT :limit;
