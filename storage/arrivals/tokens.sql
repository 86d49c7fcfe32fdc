-- name: add
INSERT INTO api_token (name, hash, scope, created_by, expires_at)
VALUES (:name, :hash, :scope, :created_by, CAST(:expires_at AS timestamptz))
ON CONFLICT (name) DO NOTHING;

-- name: list
SELECT name, scope, created_by, created_at, expires_at, revoked_at FROM api_token ORDER BY name;

-- name: valid
SELECT name, hash, scope, expires_at FROM api_token WHERE revoked_at IS NULL;

-- name: find
SELECT name, hash, scope, expires_at FROM api_token WHERE hash = :hash AND revoked_at IS NULL;

-- name: revoke
UPDATE api_token SET revoked_at = coalesce(revoked_at, now()) WHERE name = :name RETURNING revoked_at;
