-- name: load_cursor
SELECT event_id, event_created, adopted_until, updated_at FROM stripe_event_cursor WHERE name = :name;

-- name: start_cursor
INSERT INTO stripe_event_cursor (name, event_id, event_created, adopted_until)
VALUES (:name, :event_id, :event_created, :adopted_until)
ON CONFLICT (name) DO NOTHING;

-- name: move_cursor
-- Of two concurrent runs, the second must not move the cursor back.
UPDATE stripe_event_cursor
SET event_id = :event_id, event_created = :event_created, updated_at = now()
WHERE name = :name AND event_id = :was;

-- name: states
SELECT key, state FROM invoice WHERE key = ANY (CAST(:keys AS text[]));
