-- name: load_cursor
SELECT event_id, event_created, adopted_until, updated_at FROM stripe_event_cursor WHERE name = :name;

-- name: start_cursor
INSERT INTO stripe_event_cursor (name, event_id, event_created, adopted_until)
VALUES (:name, :event_id, :event_created, :adopted_until)
ON CONFLICT (name) DO NOTHING;

-- name: move_cursor
-- Two runs at once: the one that comes second must not move it back.
UPDATE stripe_event_cursor
SET event_id = :event_id, event_created = :event_created, updated_at = now()
WHERE name = :name AND event_id = :was;

-- name: states
SELECT key, state FROM invoice WHERE key = ANY (CAST(:keys AS text[]));
