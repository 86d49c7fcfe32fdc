-- name: unread
-- In the order in which they are given. What was read by another definition (`map`, `format`, `zone`) is read again.
SELECT given.path, given.etag
FROM unnest(CAST(:paths AS text[]), CAST(:etags AS text[])) WITH ORDINALITY AS given (path, etag, place)
WHERE NOT EXISTS (
    SELECT FROM source_object AS o
    WHERE (o.source, o.path, o.etag, o.definition)
        = (CAST(:source AS text), given.path, given.etag, CAST(:definition AS text))
)
ORDER BY given.place;

-- name: add
INSERT INTO source_object (source, path, etag, definition, rows_read, rows_refused)
VALUES (:source, :path, :etag, :definition, :rows, :refused)
ON CONFLICT DO NOTHING;
