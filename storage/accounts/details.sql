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

-- name: in_stripe
-- A field that changed meanwhile stays unsent.
UPDATE account AS a
SET unsent = ARRAY(
    SELECT field.name
    FROM (VALUES
        ('name', a.name IS DISTINCT FROM CAST(:name AS text)),
        ('email', a.email IS DISTINCT FROM CAST(:email AS text)),
        ('address', a.address IS DISTINCT FROM CAST(:address AS jsonb)),
        ('tax_id', a.tax_id IS DISTINCT FROM CAST(:tax_id AS text))
    ) AS field (name, changed)
    WHERE field.changed AND field.name = ANY (a.unsent)
)
WHERE a.attribution_id = :attribution_id;

-- name: unsent
SELECT {unsent_fields}
FROM account
WHERE unsent <> '{}' AND attribution_id > :after
ORDER BY attribution_id
LIMIT :limit;

-- name: sent
-- A field that changed meanwhile stays unsent, and so does everything if the account has got another customer.
UPDATE account AS a
SET stripe_customer_id = :customer,
    email_in_stripe = :email_in_stripe,
    address_in_stripe = CAST(:address_in_stripe AS boolean),
    stripe_seen_at = now(),
    unsent = ARRAY(
        SELECT field.name
        FROM (VALUES
            ('name', a.name IS DISTINCT FROM CAST(:name AS text)),
            ('email', a.email IS DISTINCT FROM CAST(:email AS text)),
            ('address', a.address IS DISTINCT FROM CAST(:address AS jsonb)),
            ('tax_id', a.tax_id IS DISTINCT FROM CAST(:tax_id AS text))
        ) AS field (name, changed)
        WHERE field.changed AND field.name = ANY (a.unsent)
    )
WHERE a.attribution_id = :attribution_id
  AND (a.stripe_customer_id IS NULL OR a.stripe_customer_id = :customer)
  AND NOT EXISTS (
      SELECT FROM account AS other
      WHERE other.stripe_customer_id = :customer AND other.attribution_id <> :attribution_id
  );
