-- name: create
CREATE TEMPORARY TABLE staged_account (
    line                bigint NOT NULL,
    attribution_id      text COLLATE "C" NOT NULL,
    stripe_customer_id  text,
    currency            text NOT NULL,
    bill_after          timestamptz,
    started             timestamptz,
    ended               timestamptz,
    kind                text,
    missing             text[] NOT NULL,  -- the columns that the row does not have
    name                text,
    email               text,
    address             jsonb,
    tax_id              text
);

-- name: drop
DROP TABLE IF EXISTS pg_temp.staged_account;

-- name: add
INSERT INTO staged_account
SELECT line, attribution_id, stripe_customer_id, currency, bill_after, started, ended, kind,
       string_to_array(missing, ' '),
       name, email, address, tax_id
FROM unnest(
    CAST(:line AS bigint[]), CAST(:attribution_id AS text[]), CAST(:stripe_customer_id AS text[]),
    CAST(:currency AS text[]), CAST(:bill_after AS timestamptz[]), CAST(:started AS timestamptz[]),
    CAST(:ended AS timestamptz[]), CAST(:kind AS text[]), CAST(:missing AS text[]), CAST(:name AS text[]), CAST(:email AS text[]),
    CAST(:address AS jsonb[]), CAST(:tax_id AS text[])
) AS given (
    line, attribution_id, stripe_customer_id, currency, bill_after, started, ended, kind, missing,
    name, email, address, tax_id
);

-- name: index
CREATE INDEX ON staged_account (attribution_id);

-- name: analyze
ANALYZE staged_account;

-- name: next
-- All rows of the next accounts.
SELECT line, attribution_id, stripe_customer_id, currency, bill_after, started, ended, kind, missing,
       name, email, address, tax_id
FROM staged_account
WHERE attribution_id IN (
    SELECT DISTINCT attribution_id
    FROM staged_account
    WHERE attribution_id > :after
    ORDER BY attribution_id
    LIMIT :accounts
)
ORDER BY line;
