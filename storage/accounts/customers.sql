-- name: to_ask
-- Accounts with usage whose customers Stripe has not been asked about since then, or lacked something needed before that.
SELECT a.attribution_id, a.stripe_customer_id
FROM account AS a
WHERE a.attribution_id > :after
  AND (CAST(:through AS text) IS NULL OR a.attribution_id <= :through)
  AND (CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id)
  AND (
      a.stripe_seen_at IS NULL
      OR a.stripe_seen_at < CAST(:trusted_since AS timestamptz)
      OR a.stripe_seen_at < CAST(:since AS timestamptz)
         AND (:email AND a.email_in_stripe IS NOT TRUE OR :address AND a.address_in_stripe IS NOT TRUE)
  )
  AND EXISTS (SELECT FROM workspace_instance AS w WHERE w.attribution_id = a.attribution_id)
ORDER BY a.attribution_id
LIMIT :limit;

-- name: lock
-- In the order in which all lock accounts, so that nobody deadlocks.
SELECT FROM account WHERE attribution_id = ANY (CAST(:accounts AS text[])) ORDER BY attribution_id FOR UPDATE;

-- name: lock_listed
SELECT FROM account WHERE stripe_customer_id = ANY (CAST(:customers AS text[])) ORDER BY attribution_id FOR UPDATE;

-- name: record
-- An account without a customer gets the customer that names it, unless another account has it.
UPDATE account AS a
SET stripe_customer_id = coalesce(a.stripe_customer_id, given.customer),
    email_in_stripe = given.email,
    address_in_stripe = given.address,
    customer_of_another = NULL,
    stripe_seen_at = now()
FROM unnest(
    CAST(:accounts AS text[]), CAST(:customers AS text[]), CAST(:emails AS boolean[]), CAST(:addresses AS boolean[])
) AS given (attribution_id, customer, email, address)
WHERE a.attribution_id = given.attribution_id
  AND coalesce(a.stripe_customer_id, given.customer) IS NOT DISTINCT FROM given.customer
  AND NOT EXISTS (
      SELECT FROM account AS other
      WHERE other.stripe_customer_id = given.customer AND other.attribution_id <> a.attribution_id
  );

-- name: record_of_another
-- An account without a customer, which a customer of another account names: what that one has says nothing of it.
UPDATE account AS a
SET email_in_stripe = NULL,
    address_in_stripe = NULL,
    customer_of_another = given.customer,
    stripe_seen_at = now()
FROM unnest(CAST(:accounts AS text[]), CAST(:customers AS text[])) AS given (attribution_id, customer)
WHERE a.attribution_id = given.attribution_id
  AND a.stripe_customer_id IS NULL
  AND EXISTS (
      SELECT FROM account AS other
      WHERE other.stripe_customer_id = given.customer AND other.attribution_id <> a.attribution_id
  );

-- name: record_listed
UPDATE account AS a
SET email_in_stripe = given.email,
    address_in_stripe = given.address,
    stripe_seen_at = now()
FROM unnest(
    CAST(:customers AS text[]), CAST(:emails AS boolean[]), CAST(:addresses AS boolean[])
) AS given (customer, email, address)
WHERE a.stripe_customer_id = given.customer;

-- name: record_made
UPDATE account AS a
SET stripe_customer_id = :customer
WHERE a.attribution_id = :attribution_id
  AND a.stripe_customer_id IS NULL
  AND NOT EXISTS (SELECT FROM account AS other WHERE other.stripe_customer_id = :customer);

-- name: record_names
-- What an import or the API has given wins, also if it was erased since.
UPDATE account AS a
SET name = given.name
FROM unnest(CAST(:customers AS text[]), CAST(:names AS text[])) AS given (customer, name)
WHERE a.stripe_customer_id = given.customer
  AND a.details_at ->> 'name' IS NULL
  AND a.name IS DISTINCT FROM given.name;
