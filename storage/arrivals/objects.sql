-- name: unread
-- In the order in which they are given.
SELECT given.path, given.etag
FROM unnest(CAST(:paths AS text[]), CAST(:etags AS text[])) WITH ORDINALITY AS given (path, etag, place)
WHERE NOT EXISTS (
    SELECT FROM source_object AS o WHERE (o.source, o.path, o.etag) = (CAST(:source AS text), given.path, given.etag)
)
ORDER BY given.place;

-- name: add
INSERT INTO source_object (source, path, etag, rows_read, rows_refused)
VALUES (:source, :path, :etag, :rows, :refused)
ON CONFLICT DO NOTHING;
