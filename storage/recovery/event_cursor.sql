-- name: load_cursor
SELECT event_id, event_created, adopted_until, updated_at, undelivered, undelivered_at, delivered_at
FROM stripe_event_cursor WHERE name = :name;

-- name: start_cursor
INSERT INTO stripe_event_cursor
    (name, event_id, event_created, adopted_until, undelivered, undelivered_at, delivered_at)
VALUES (:name, :event_id, :event_created, :adopted_until, :undelivered, :undelivered_at, :delivered_at)
ON CONFLICT (name) DO NOTHING;

-- name: move_cursor
-- Of two concurrent runs, the second must not move the cursor back.
UPDATE stripe_event_cursor
SET event_id = :event_id, event_created = :event_created, updated_at = now(),
    undelivered = undelivered + :undelivered,
    undelivered_at = greatest(undelivered_at, CAST(:undelivered_at AS timestamptz)),
    delivered_at = greatest(delivered_at, CAST(:delivered_at AS timestamptz))
WHERE name = :name AND event_id = :was;

-- name: states
SELECT key, state FROM invoice WHERE key = ANY (CAST(:keys AS text[]));
