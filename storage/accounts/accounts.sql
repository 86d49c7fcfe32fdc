-- name: columns
attribution_id, stripe_customer_id, currency, bill_after, created_at, name

-- name: get
SELECT {columns} FROM account WHERE attribution_id = :attribution_id;

-- name: of_customer
SELECT {columns} FROM account WHERE stripe_customer_id = :stripe_customer_id;

-- name: of_subscription
SELECT {columns}
FROM account
WHERE attribution_id = (
    SELECT attribution_id FROM subscription WHERE stripe_subscription_id = :stripe_subscription_id LIMIT 1
);

-- name: currency
SELECT coalesce(
    (
        SELECT currency FROM subscription
        WHERE (attribution_id, stripe_subscription_id) = (:attribution_id, :stripe_subscription_id)
        LIMIT 1
    ),
    (SELECT currency FROM account WHERE attribution_id = :attribution_id)
);

-- name: list
-- `text` is a part of the id or the name, a customer or a subscription.
SELECT {columns}
FROM account
WHERE attribution_id > :after
  AND (
      CAST(:text AS text) IS NULL
      OR strpos(lower(attribution_id), lower(:text)) > 0
      OR strpos(lower(name), lower(:text)) > 0
      OR stripe_customer_id = :text
      OR attribution_id IN (SELECT attribution_id FROM subscription WHERE stripe_subscription_id = :text)
  )
ORDER BY attribution_id
LIMIT :limit;

-- name: windows
SELECT id, attribution_id, stripe_subscription_id, lower(during) AS started, upper(during) AS ended, kind, currency
FROM subscription
WHERE attribution_id = ANY (CAST(:accounts AS text[]))
ORDER BY attribution_id, lower(during);

-- name: lock
SELECT {columns}
FROM account
WHERE attribution_id = ANY (CAST(:accounts AS text[]))
ORDER BY attribution_id
FOR UPDATE;

-- name: with_open_invoices
-- One step may have made a claimed invoice in Stripe before its id is recorded: it is looked for under its customer.
SELECT attribution_id, bool_or(stripe_invoice_id IS NOT NULL OR state = 'claimed') AS in_stripe
FROM invoice
WHERE attribution_id = ANY (CAST(:accounts AS text[])) AND state IN ({open})
GROUP BY attribution_id;

-- name: set_customer_of_invoices
-- Blocked invoices that are not in Stripe follow the account, so that a wrong customer can be corrected. A claimed one,
-- which may be there, keeps the customer that it has.
UPDATE invoice AS i
SET stripe_customer_id = a.stripe_customer_id, updated_at = now()
FROM account AS a
WHERE a.attribution_id = ANY (CAST(:accounts AS text[]))
  AND i.attribution_id = a.attribution_id
  AND i.stripe_invoice_id IS NULL
  AND i.state IN ({open})
  AND (i.state = 'blocked' OR i.stripe_customer_id IS NULL)
  AND i.stripe_customer_id IS DISTINCT FROM a.stripe_customer_id;

-- name: customers
SELECT stripe_customer_id, attribution_id
FROM account
WHERE stripe_customer_id = ANY (CAST(:customers AS text[]));

-- name: add
INSERT INTO account (attribution_id, stripe_customer_id, currency, bill_after)
VALUES (:attribution_id, :stripe_customer_id, :currency, CAST(:bill_after AS timestamptz))
-- No index is named: a concurrent insert of the same account can hit either unique index first.
ON CONFLICT DO NOTHING;

-- name: upsert
INSERT INTO account (attribution_id, stripe_customer_id, currency, bill_after)
SELECT *
FROM unnest(
    CAST(:accounts AS text[]), CAST(:customers AS text[]), CAST(:currencies AS text[]),
    CAST(:bill_afters AS timestamptz[])
)
ON CONFLICT (attribution_id) DO UPDATE
SET stripe_customer_id = coalesce(excluded.stripe_customer_id, account.stripe_customer_id),
    currency = excluded.currency,
    bill_after = coalesce(excluded.bill_after, account.bill_after),
    -- What was seen is of the former customer.
    stripe_seen_at = CASE
        WHEN excluded.stripe_customer_id = account.stripe_customer_id THEN account.stripe_seen_at
        WHEN excluded.stripe_customer_id IS NULL THEN account.stripe_seen_at
    END,
    email_in_stripe = CASE
        WHEN coalesce(excluded.stripe_customer_id, account.stripe_customer_id) = account.stripe_customer_id
        THEN account.email_in_stripe
    END,
    address_in_stripe = CASE
        WHEN coalesce(excluded.stripe_customer_id, account.stripe_customer_id) = account.stripe_customer_id
        THEN account.address_in_stripe
    END;

-- name: follow_currency
-- Where a row without a window changes the account's currency: unbilled windows in the former currency
-- follow, except those of a subscription and those that rows name, which say their own.
UPDATE subscription AS s
SET currency = a.currency
FROM account AS a
JOIN unnest(CAST(:accounts AS text[]), CAST(:former AS text[])) AS given (attribution_id, former) USING (attribution_id)
WHERE s.attribution_id = a.attribution_id
  AND s.stripe_subscription_id IS NULL
  AND s.currency = given.former
  AND a.currency <> given.former
  AND s.id <> ALL (CAST(:named AS bigint[]))
  AND NOT EXISTS (
      SELECT FROM invoice AS i
      WHERE (i.attribution_id, i.currency) = (s.attribution_id, s.currency) AND i.state NOT IN ({dead})
  );

-- name: describe_windows
UPDATE subscription AS s
SET kind = given.kind, currency = given.currency
FROM unnest(CAST(:ids AS bigint[]), CAST(:currencies AS text[]), CAST(:kinds AS text[])) AS given (id, currency, kind)
WHERE s.id = given.id AND (s.kind, s.currency) IS DISTINCT FROM (given.kind, given.currency);

-- name: billed_windows
-- Of these windows, those in which a live invoice in the window's currency has billed.
SELECT s.id
FROM subscription AS s
WHERE s.id = ANY (CAST(:ids AS bigint[]))
  AND EXISTS (
      SELECT FROM invoice AS i
      JOIN claim AS c ON c.invoice_id = i.id
      WHERE (i.attribution_id, i.currency) = (s.attribution_id, s.currency)
        AND i.state NOT IN ({dead})
        AND c.during && s.during
  );

-- name: move_windows
UPDATE subscription AS s
SET during = tstzrange(lower(s.during), given.ended)
FROM unnest(CAST(:ids AS bigint[]), CAST(:ended AS timestamptz[])) AS given (id, ended)
WHERE s.id = given.id;

-- name: insert_windows
INSERT INTO subscription (attribution_id, currency, kind, during)
SELECT given.attribution_id, given.currency, given.kind, tstzrange(given.started, given.ended)
FROM unnest(
    CAST(:accounts AS text[]), CAST(:started AS timestamptz[]), CAST(:ended AS timestamptz[]),
    CAST(:currencies AS text[]), CAST(:kinds AS text[])
) AS given (attribution_id, started, ended, currency, kind);

-- name: record_fault
INSERT INTO subscription_fault AS f (stripe_subscription_id, attribution_id, reason)
VALUES (
    :stripe_subscription_id,
    (SELECT attribution_id FROM subscription WHERE stripe_subscription_id = :stripe_subscription_id LIMIT 1),
    :reason
)
ON CONFLICT (stripe_subscription_id) DO UPDATE SET reason = excluded.reason;

-- name: forget_fault
DELETE FROM subscription_fault WHERE stripe_subscription_id = :stripe_subscription_id;

-- name: faults
SELECT stripe_subscription_id, attribution_id, reason, since
FROM subscription_fault
ORDER BY since, stripe_subscription_id
LIMIT :limit;
