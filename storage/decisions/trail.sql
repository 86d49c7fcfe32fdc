-- name: record
-- Another machine's clock may be fast: nothing is decided after it is recorded.
INSERT INTO decision (kind, subject, decided_by, reason, origin, address, request, decided_at)
VALUES (:kind, :subject, :by, :reason, :origin, CAST(:address AS text), CAST(:request AS text),
        least(CAST(:at AS timestamptz), now()))
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
