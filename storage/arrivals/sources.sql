-- name: register
-- A source that was removed and comes back continues where it was.
INSERT INTO source AS s (name, kind, every, lag, stale_after)
SELECT * FROM unnest(
    CAST(:names AS text[]), CAST(:kinds AS text[]), CAST(:every AS interval[]), CAST(:lags AS interval[]),
    CAST(:stale_after AS interval[])
)
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, every = excluded.every, lag = excluded.lag, stale_after = excluded.stale_after,
    removed_at = NULL
WHERE (s.kind, s.every, s.lag, s.stale_after)
      IS DISTINCT FROM (excluded.kind, excluded.every, excluded.lag, excluded.stale_after)
   OR s.removed_at IS NOT NULL;

-- name: may_ingest
-- Of each kind of thing that it does, what the role of no other process may.
SELECT CAST(current_user AS text) AS role,
       has_column_privilege('source', 'cursor', 'UPDATE')
       AND has_table_privilege('usage_fact', 'INSERT')
       AND has_table_privilege('pending_fact', 'DELETE') AS allowed;

-- name: remove
UPDATE source SET removed_at = now() WHERE name = ANY (CAST(:names AS text[])) AND removed_at IS NULL;

-- name: columns
SELECT s.name, s.kind, s.every, s.lag, s.stale_after, s.snapshot_at, s.cursor, s.complete_up_to, s.read_at,
       s.rows_read, s.rows_new, s.rows_stale, s.rows_refused, s.error, s.failing_since, s.registered_at, s.removed_at,
       (SELECT count(*) FROM source_fault AS f WHERE f.source = s.name) AS faults
FROM source AS s

-- name: all
{columns}
ORDER BY s.name;

-- name: one
{columns}
WHERE s.name = :name;

-- name: begin
-- A query or an address that has changed can have other rows for the time before the cursor: they are read again.
UPDATE source
SET cursor = CASE WHEN definition IS NOT DISTINCT FROM :definition THEN cursor END, definition = :definition
WHERE name = :name
RETURNING cursor, now() AS began_at, failing_since;

-- name: move_cursor
UPDATE source SET cursor = CAST(:cursor AS timestamptz) WHERE name = :name;

-- name: succeed
UPDATE source
SET cursor = CAST(:cursor AS timestamptz), complete_up_to = :complete_up_to, read_at = :started_at,
    rows_read = :rows, rows_new = :new, rows_stale = :stale, rows_refused = :refused,
    snapshot_at = CAST(:snapshot_at AS timestamptz), error = NULL, failing_since = NULL
WHERE name = :name;

-- name: fail
UPDATE source
SET error = :error, failing_since = coalesce(failing_since, :started_at)
WHERE name = :name
RETURNING complete_up_to, failing_since;
