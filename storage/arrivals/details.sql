-- name: accept
INSERT INTO pending_details (attribution_id, at, source, content)
SELECT attribution_id, at, source,
       jsonb_strip_nulls(jsonb_build_object('name', name, 'email', email, 'address', address, 'tax_id', tax_id))
FROM unnest(
    CAST(:accounts AS text[]), CAST(:at AS timestamptz[]), CAST(:sources AS text[]), CAST(:name AS text[]),
    CAST(:email AS text[]), CAST(:address AS jsonb[]), CAST(:tax_id AS text[])
) WITH ORDINALITY AS given (attribution_id, at, source, name, email, address, tax_id, place)
ORDER BY place;

-- name: last
SELECT max(position) FROM pending_details WHERE NOT waits;

-- name: last_of_all
SELECT max(position) FROM pending_details;

-- name: next
-- A statement of its own, for which the index of the rows that do not wait is used: it runs all the time.
SELECT p.position, p.attribution_id, p.source, a.attribution_id IS NOT NULL AS known
FROM pending_details AS p
LEFT JOIN account AS a USING (attribution_id)
WHERE p.position <= :upto AND NOT p.waits
ORDER BY p.position
LIMIT :most;

-- name: next_known
-- Also the rows that wait for an account that exists now. An account is never deleted.
SELECT p.position, p.attribution_id, p.source, a.attribution_id IS NOT NULL AS known
FROM pending_details AS p
LEFT JOIN account AS a USING (attribution_id)
WHERE p.position <= :upto AND (NOT p.waits OR a.attribution_id IS NOT NULL)
ORDER BY p.position
LIMIT :most;

-- name: lock
-- Imports and other processes that store details wait; the next statement sees what they have stored.
SELECT lock_accounts(CAST(:accounts AS text[]));

-- name: store
-- Of each field the value of the latest instant counts; of equal instants the greater value, so that any order gives the
-- same. What is changed is unsent until Stripe has it.
WITH field AS (
    SELECT DISTINCT ON (p.attribution_id, each.name) p.attribution_id, p.at, p.source, each.name, each.value
    FROM pending_details AS p
    CROSS JOIN LATERAL jsonb_each(p.content) AS each (name, value)
    WHERE p.position = ANY (CAST(:positions AS bigint[]))
    ORDER BY p.attribution_id, each.name, p.at DESC, CAST(each.value AS text) DESC
),
known AS (
    SELECT a.attribution_id, each.name, each.value,
           coalesce(CAST(a.details_at ->> each.name AS timestamptz), '-infinity') AS at
    FROM account AS a
    CROSS JOIN LATERAL (VALUES
        ('name', to_jsonb(a.name)), ('email', to_jsonb(a.email)), ('address', a.address), ('tax_id', to_jsonb(a.tax_id))
    ) AS each (name, value)
    WHERE a.attribution_id IN (SELECT attribution_id FROM field)
),
newer AS (
    SELECT f.*, f.value IS DISTINCT FROM k.value AS changes
    FROM field AS f
    JOIN known AS k USING (attribution_id, name)
    WHERE (f.at, CAST(f.value AS text)) > (k.at, coalesce(CAST(k.value AS text), ''))
),
given AS (
    SELECT attribution_id, jsonb_object_agg(name, value) AS fields, jsonb_object_agg(name, at) AS details_at,
           array_agg(name) FILTER (WHERE changes) AS changed,
           (array_agg(source ORDER BY at DESC, source) FILTER (WHERE changes))[1] AS source
    FROM newer
    GROUP BY attribution_id
),
ordered AS (
    INSERT INTO details_to_send (attribution_id, source)
    SELECT attribution_id, source FROM given WHERE changed IS NOT NULL ORDER BY attribution_id
    ON CONFLICT (attribution_id) DO UPDATE SET source = excluded.source, since = now(), refused = false
)
UPDATE account AS a
SET name = coalesce(g.fields ->> 'name', a.name),
    email = coalesce(g.fields ->> 'email', a.email),
    address = coalesce(g.fields -> 'address', a.address),
    tax_id = coalesce(g.fields ->> 'tax_id', a.tax_id),
    unsent = ARRAY(SELECT DISTINCT unnest(a.unsent || g.changed) ORDER BY 1),
    details_at = a.details_at || g.details_at
FROM given AS g
WHERE a.attribution_id = g.attribution_id;

-- name: remove
DELETE FROM pending_details WHERE position = ANY (CAST(:positions AS bigint[]));

-- name: wait
UPDATE pending_details SET waits = true WHERE position = ANY (CAST(:positions AS bigint[]));

-- name: forget
-- What does not wait is to be stored, however old it is.
DELETE FROM pending_details
WHERE waits AND received_at < now() - CAST(:age AS interval)
RETURNING source, attribution_id;

-- name: to_send
-- Also those that a person has sent after Stripe had refused them.
SELECT t.attribution_id, t.source, t.since
FROM details_to_send AS t
JOIN account AS a USING (attribution_id)
WHERE NOT t.refused OR a.unsent = '{}'
ORDER BY t.tried_at, t.attribution_id
LIMIT :limit;

-- name: refused
-- If they have changed since then, they are sent once more.
UPDATE details_to_send SET refused = true WHERE (attribution_id, since) = (:attribution_id, :since);

-- name: sent
DELETE FROM details_to_send AS t
USING account AS a
WHERE t.attribution_id = :attribution_id AND a.attribution_id = t.attribution_id AND a.unsent = '{}';

-- name: postpone
UPDATE details_to_send SET tried_at = now() WHERE (attribution_id, since) = (:attribution_id, :since);
