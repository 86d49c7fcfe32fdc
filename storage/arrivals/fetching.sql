-- name: due
-- The sources that are in use. A source that never was read is due like any other.
SELECT name, lag FROM source WHERE removed_at IS NULL ORDER BY name;

-- name: pending
SELECT EXISTS (SELECT position FROM pending_fact);
