-- name: write
-- What is not given stays. A field that changes is unsent until Stripe has it. What the API gives is ordered by time.
UPDATE account AS a
SET name = coalesce(given.name, a.name),
    email = coalesce(given.email, a.email),
    address = coalesce(given.address, a.address),
    tax_id = coalesce(given.tax_id, a.tax_id),
    unsent = ARRAY(
        SELECT field.name
        FROM (VALUES
            ('name', given.name IS NOT NULL AND given.name IS DISTINCT FROM a.name),
            ('email', given.email IS NOT NULL AND given.email IS DISTINCT FROM a.email),
            ('address', given.address IS NOT NULL AND given.address IS DISTINCT FROM a.address),
            ('tax_id', given.tax_id IS NOT NULL AND given.tax_id IS DISTINCT FROM a.tax_id)
        ) AS field (name, changes)
        WHERE field.changes OR field.name = ANY (a.unsent)
    ),
    details_at = a.details_at || (
        SELECT coalesce(jsonb_object_agg(field.name, now()), '{}')
        FROM (VALUES
            ('name', given.name IS NOT NULL), ('email', given.email IS NOT NULL),
            ('address', given.address IS NOT NULL), ('tax_id', given.tax_id IS NOT NULL)
        ) AS field (name, is_given)
        WHERE field.is_given
    )
FROM unnest(
    CAST(:accounts AS text[]), CAST(:name AS text[]), CAST(:email AS text[]), CAST(:address AS jsonb[]),
    CAST(:tax_id AS text[])
) AS given (attribution_id, name, email, address, tax_id)
WHERE a.attribution_id = given.attribution_id;

-- name: unsent_fields
attribution_id, stripe_customer_id,
CASE WHEN 'name' = ANY (unsent) THEN name END AS name,
CASE WHEN 'email' = ANY (unsent) THEN email END AS email,
CASE WHEN 'address' = ANY (unsent) THEN address END AS address,
CASE WHEN 'tax_id' = ANY (unsent) THEN tax_id END AS tax_id

-- name: unsent_of
SELECT {unsent_fields}
FROM account
WHERE attribution_id = :attribution_id AND unsent <> '{}';

-- name: still_unsent
-- A field that changed meanwhile is unsent, also if Stripe had its new value: what was sent has replaced it.
ARRAY(
    SELECT field.name
    FROM (VALUES
        ('name', a.name, CAST(:name AS text)),
        ('email', a.email, CAST(:email AS text)),
        ('address', CAST(a.address AS text), CAST(CAST(:address AS jsonb) AS text)),
        ('tax_id', a.tax_id, CAST(:tax_id AS text))
    ) AS field (name, value, sent)
    WHERE field.value IS DISTINCT FROM field.sent AND (field.sent IS NOT NULL OR field.name = ANY (a.unsent))
)

-- name: its_customer
-- The account has this customer, or none, and no other account has it.
(a.stripe_customer_id IS NULL OR a.stripe_customer_id = :customer)
  AND NOT EXISTS (
      SELECT FROM account AS other
      WHERE other.stripe_customer_id = :customer AND other.attribution_id <> a.attribution_id
  )

-- name: is_anothers
SELECT EXISTS (SELECT FROM account WHERE stripe_customer_id = :customer AND attribution_id <> :attribution_id);

-- name: in_stripe
-- A process that recorded newer details meanwhile may have removed the order to send them.
WITH recorded AS (
    UPDATE account AS a
    SET unsent = {still_unsent}
    WHERE a.attribution_id = :attribution_id AND {its_customer}
    RETURNING a.attribution_id, a.unsent
),
ordered AS (
    INSERT INTO details_to_send (attribution_id, source)
    SELECT attribution_id, :source FROM recorded WHERE unsent <> '{}'
    ON CONFLICT (attribution_id) DO NOTHING
)
SELECT attribution_id FROM recorded;

-- name: unsent
SELECT {unsent_fields}
FROM account
WHERE unsent <> '{}' AND attribution_id > :after
ORDER BY attribution_id
LIMIT :limit;

-- name: sent
UPDATE account AS a
SET stripe_customer_id = :customer,
    email_in_stripe = :email_in_stripe,
    address_in_stripe = CAST(:address_in_stripe AS boolean),
    stripe_seen_at = now(),
    unsent = {still_unsent}
WHERE a.attribution_id = :attribution_id AND {its_customer};
