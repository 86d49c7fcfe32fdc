-- name: keep_card
INSERT INTO rate_card (digest, content) VALUES (:digest, CAST(:content AS jsonb)) ON CONFLICT DO NOTHING;

-- name: publish
INSERT INTO worker_settings (queue, rate_card_digest, settings)
VALUES (:queue, :digest, CAST(:settings AS jsonb))
ON CONFLICT (queue) DO UPDATE
SET rate_card_digest = excluded.rate_card_digest, settings = excluded.settings, published_at = now();

-- name: read
SELECT w.rate_card_digest, CAST(w.settings AS text) AS settings, CAST(c.content AS text) AS content, w.published_at
FROM worker_settings AS w
JOIN rate_card AS c ON c.digest = w.rate_card_digest
WHERE w.queue = :queue;
