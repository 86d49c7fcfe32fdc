-- name: try_turn
-- Until the connection ends. Waiting for the lock here would keep a transaction open, for which the builds wait.
SELECT pg_try_advisory_lock(7336873203);

-- name: missing
-- With what an interrupted build left. A table that does not exist yet gets its indexes by its migration.
SELECT wanted.name, i.indexrelid IS NOT NULL AS unfinished
FROM unnest(CAST(:names AS text[]), CAST(:tables AS text[])) AS wanted (name, of_table)
LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(wanted.name)
WHERE to_regclass(wanted.of_table) IS NOT NULL AND i.indisvalid IS NOT TRUE
ORDER BY wanted.name;
