-- name: accept
INSERT INTO accepted_warning (kind, subject, accepted_by, reason)
VALUES (:kind, :subject, :accepted_by, :reason)
ON CONFLICT (kind, subject) DO UPDATE
SET accepted_by = excluded.accepted_by, reason = excluded.reason, accepted_at = now()
WHERE (accepted_warning.accepted_by, accepted_warning.reason) <> (excluded.accepted_by, excluded.reason);

-- name: withdraw
DELETE FROM accepted_warning WHERE kind = :kind AND subject = :subject;

-- name: accepted
SELECT kind, subject, accepted_by, reason, accepted_at FROM accepted_warning ORDER BY kind, subject;

-- name: accepted_subjects
SELECT subject
FROM unnest(CAST(:subjects AS text[])) AS given (subject)
WHERE EXISTS (
    SELECT FROM accepted_warning AS w WHERE w.kind = :kind AND w.subject IN (given.subject, :any_subject)
);
