-- name: insert_months
INSERT INTO invoice_month (invoice_id, month, position, credits)
SELECT *
FROM unnest(
    CAST(:invoice_ids AS bigint[]), CAST(:months AS text[]), CAST(:positions AS numeric[]), CAST(:credits AS numeric[])
);

-- name: drop_months
DELETE FROM invoice_month WHERE invoice_id = :id;

-- name: forget_outcomes
-- An invoice also bills the usage that earlier periods left over, except for what it keeps back, so that their outcomes
-- no longer hold. Nor do those in a currency that none of the account's windows has any more.
DELETE FROM account_outcome AS o
WHERE o.billing_period <= :period
  AND o.attribution_id = ANY (CAST(:accounts AS text[]))
  AND NOT EXISTS (
      SELECT FROM subscription AS s WHERE (s.attribution_id, s.currency) = (o.attribution_id, o.currency)
  )
   OR o.billing_period = :period
      AND (o.attribution_id, o.currency) IN (
          SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]))
      )
   OR o.billing_period < :period
      AND (o.attribution_id, o.currency) IN (
          SELECT given.attribution_id, given.currency
          FROM unnest(
              CAST(:invoiced AS text[]), CAST(:invoiced_in AS text[]), CAST(:keeps_back AS boolean[])
          ) AS given (attribution_id, currency, keeps_back)
          WHERE NOT (given.keeps_back AND coalesce(o.kind, '') = 'unknown_class')
      );

-- name: insert_outcomes
INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, kind, left_us)
SELECT :period, given.*
FROM unnest(
    CAST(:accounts AS text[]), CAST(:outcomes AS text[]), CAST(:reasons AS text[]),
    CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:kinds AS text[]),
    CAST(:left_us AS bigint[])
) AS given;

-- name: drop_claims
DELETE FROM claim WHERE invoice_id = :id;

-- name: drop_lines
DELETE FROM invoice_line WHERE invoice_id = :id;

