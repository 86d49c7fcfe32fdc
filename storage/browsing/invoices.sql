-- name: wanted
-- The invoices of a text are `ids`, or if they are many, those of the `part`: then a page asks each invoice on its way.
{filtered}
AND (CAST(:part AS text) IS NULL
     OR {named_itself}
     OR (SELECT {account_of_part} FROM account AS a WHERE a.attribution_id = i.attribution_id))

-- name: filtered
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)
AND (CAST(:states AS text[]) IS NULL OR i.state = ANY (CAST(:states AS text[])))
AND (CAST(:currency AS text) IS NULL OR i.currency = :currency)
AND (CAST(:least AS numeric) IS NULL OR {major} >= CAST(:least AS numeric))
AND (CAST(:most AS numeric) IS NULL OR {major} <= CAST(:most AS numeric))
AND (CAST(:ids AS bigint[]) IS NULL OR i.id = ANY (CAST(:ids AS bigint[])))

-- name: named_itself
(i.key >= :part AND i.key < :beyond) OR i.id IN ({of_part})

-- name: account_of_part
-- A part of an account's id or name, or its customer.
a.stripe_customer_id = :part
OR strpos(lower(a.attribution_id), lower(:part)) > 0
OR strpos(lower(a.name), lower(:part)) > 0

-- name: of_part
-- The invoices that an id or number of Stripe's, or an instance, belongs to.
SELECT id FROM invoice WHERE stripe_invoice_id = :part
UNION ALL
SELECT id FROM invoice WHERE replaces_stripe_invoice_id = :part
UNION ALL
SELECT id FROM invoice WHERE stripe_number = upper(:part)
UNION ALL
SELECT r.invoice_id FROM refund AS r WHERE r.stripe_refund_id = :part
UNION ALL
SELECT d.invoice_id FROM dispute AS d WHERE d.stripe_dispute_id = :part
UNION ALL
SELECT n.invoice_id FROM credit_note AS n WHERE n.stripe_credit_note_id = :part
UNION ALL
SELECT c.invoice_id FROM claim AS c WHERE instance_key(c.instance_id) = instance_key(CAST(:part AS text))
UNION ALL
SELECT h.invoice_id FROM claim_history AS h WHERE h.instance_id = :part

-- name: named
-- The invoices of a text, some of them twice, or the first ones.
WITH matching AS MATERIALIZED (
    SELECT a.attribution_id FROM account AS a WHERE {account_of_part} LIMIT CAST(:most AS bigint)
)
SELECT found.id
FROM (
    {of_part}
    UNION ALL
    (SELECT id FROM invoice WHERE key >= :part AND key < :beyond LIMIT CAST(:most AS bigint))
    UNION ALL
    SELECT of_account.id
    FROM matching AS m
    CROSS JOIN LATERAL (
        SELECT i.id FROM invoice AS i WHERE i.attribution_id = m.attribution_id LIMIT CAST(:most AS bigint)
    ) AS of_account
) AS found
LIMIT CAST(:most AS bigint);

-- name: major
-- The amount in major units, which compare across currencies as a person writes them.
(i.amount / power(10::numeric, coalesce(CAST(CAST(:exponents AS jsonb) ->> i.currency AS integer), 2)))

-- name: shown
SELECT i.id, i.key, i.attribution_id, a.name AS account_name, i.billing_period, i.reason, i.state, i.currency, i.amount,
       coalesce(i.accepted_subtotal - i.amount, 0) AS edited,
       CASE WHEN i.state IN ({dead}) THEN 0 ELSE coalesce(i.accepted_subtotal, i.amount) END - coalesce(c.credited, 0) AS net,
       coalesce(c.credited, 0) AS credited, i.stripe_invoice_id, i.claimed_at, i.finalized_at, i.paid_at,
       i.blocked_reason, i.blocked_since,
       i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL AS awaits_approval
FROM page AS i
JOIN account AS a USING (attribution_id)
LEFT JOIN LATERAL (
    SELECT CAST(sum(n.amount) AS bigint) AS credited
    FROM credit_note AS n
    WHERE n.invoice_id = i.id AND n.state = 'issued' AND i.state NOT IN ({dead})
) AS c ON true

-- name: by_key
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR i.key > :from_text)
    ORDER BY i.key
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.key;

-- name: by_key_down
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR i.key < :from_text)
    ORDER BY i.key DESC
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.key DESC;

-- name: by_account
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR (i.attribution_id, i.id) > (:from_text, :from_id))
    ORDER BY i.attribution_id, i.id
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.attribution_id, i.id;

-- name: by_account_down
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR (i.attribution_id, i.id) < (:from_text, :from_id))
    ORDER BY i.attribution_id DESC, i.id DESC
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.attribution_id DESC, i.id DESC;

-- name: by_amount
-- Amounts of different currencies do not compare: each currency by itself.
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted}
      AND (CAST(:from_id AS bigint) IS NULL
           OR (i.currency, i.amount, i.id) > (:from_text, CAST(:from_amount AS bigint), :from_id))
    ORDER BY i.currency, i.amount, i.id
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.currency, i.amount, i.id;

-- name: by_amount_down
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted}
      AND (CAST(:from_id AS bigint) IS NULL
           OR (i.currency, i.amount, i.id) < (:from_text, CAST(:from_amount AS bigint), :from_id))
    ORDER BY i.currency DESC, i.amount DESC, i.id DESC
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.currency DESC, i.amount DESC, i.id DESC;

-- name: by_date
-- Ids rise with the instants at which invoices are created.
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR i.id > :from_id)
    ORDER BY i.id
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.id;

-- name: by_date_down
WITH page AS (
    SELECT i.* FROM invoice AS i
    WHERE {wanted} AND (CAST(:from_id AS bigint) IS NULL OR i.id < :from_id)
    ORDER BY i.id DESC
    LIMIT CAST(:limit AS bigint)
)
{shown}
ORDER BY i.id DESC;

-- name: totals
-- Of every invoice that the filter lets through. Voided and deleted ones count, and are worth nothing.
WITH matching AS MATERIALIZED (
    SELECT a.attribution_id FROM account AS a WHERE CAST(:part AS text) IS NOT NULL AND ({account_of_part})
)
SELECT i.currency, count(*) AS invoices,
       CAST(coalesce(sum(i.amount) FILTER (WHERE i.state NOT IN ({dead})), 0) AS bigint) AS amount,
       CAST(coalesce(sum(i.accepted_subtotal - i.amount) FILTER (WHERE i.state NOT IN ({dead})), 0) AS bigint) AS edited,
       CAST(coalesce(sum(c.credited) FILTER (WHERE i.state NOT IN ({dead})), 0) AS bigint) AS credited
FROM invoice AS i
LEFT JOIN (
    SELECT invoice_id, sum(amount) AS credited FROM credit_note WHERE state = 'issued' GROUP BY invoice_id
) AS c ON c.invoice_id = i.id
WHERE {filtered}
  AND (CAST(:part AS text) IS NULL OR {named_itself} OR i.attribution_id IN (SELECT attribution_id FROM matching))
GROUP BY i.currency
ORDER BY i.currency;
