-- name: arrives
SELECT EXISTS (SELECT 1 FROM source WHERE removed_at IS NULL)
    OR EXISTS (SELECT 1 FROM pending_fact)
    OR EXISTS (
        SELECT 1 FROM api_token
        WHERE scope <> 'accounts' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    );
