-- name: find
-- What a text names or begins: exact names first, then names that begin with it, then those that contain it.
-- `matched` says by what it was found, if not by the key. Each branch is bounded and uses an index, but for the search
-- for a part of an account's id or name, which `:parts` asks for.
WITH account_match AS (
    SELECT 'account' AS kind, a.attribution_id AS key, a.attribution_id,
           nullif(:text, a.attribution_id) AS matched, 0 AS rank
    FROM account AS a
    WHERE a.attribution_id = :text OR a.stripe_customer_id = :text
),
account_part AS (
    SELECT 'account' AS kind, a.attribution_id AS key, a.attribution_id,
           CASE WHEN a.in_name > 0 THEN a.name END AS matched,
           CASE WHEN 1 IN (a.in_name, a.in_id) THEN CASE WHEN length(:text) IN (length(a.name), length(a.attribution_id))
                                                         THEN 1 ELSE 2 END
                ELSE 3
           END AS rank
    FROM (
        SELECT attribution_id, name, strpos(lower(name), lower(:text)) AS in_name,
               strpos(lower(attribution_id), lower(:text)) AS in_id
        FROM account
        WHERE CAST(:parts AS boolean)
        OFFSET 0
    ) AS a
    WHERE a.in_id > 0 OR a.in_name > 0
    ORDER BY rank, a.attribution_id
    LIMIT :limit
),
by_subscription AS (
    SELECT DISTINCT 'account' AS kind, s.attribution_id AS key, s.attribution_id, s.stripe_subscription_id AS matched, 0 AS rank
    FROM subscription AS s
    WHERE s.stripe_subscription_id = :text
),
invoice_match AS (
    SELECT 'invoice' AS kind, key, attribution_id, NULL AS matched, CASE WHEN key = :text THEN 0 ELSE 2 END AS rank
    FROM invoice
    WHERE key >= :text AND key < :beyond
    ORDER BY key
    LIMIT :limit
),
by_stripe AS (
    SELECT 'invoice' AS kind, key, attribution_id, :text AS matched, 0 AS rank
    FROM invoice
    WHERE id IN ({of_stripe})
    LIMIT :limit
),
note_match AS (
    SELECT 'credit_note' AS kind, n.key, i.attribution_id, nullif(:text, n.key) AS matched, 0 AS rank
    FROM credit_note AS n
    JOIN invoice AS i ON i.id = n.invoice_id
    WHERE n.key = :text OR n.stripe_credit_note_id = :text
),
instance_match AS (
    SELECT 'instance' AS kind, id AS key, attribution_id, NULL AS matched, CASE WHEN id = :text THEN 0 ELSE 2 END AS rank
    FROM workspace_instance
    WHERE id >= :text AND id < :beyond
    ORDER BY id
    LIMIT :limit
)
SELECT DISTINCT ON (f.rank, f.kind, f.key)
       f.kind, f.key, f.attribution_id, a.name AS account_name, f.matched, f.rank,
       i.state, i.amount, i.currency
FROM (
    TABLE account_match
    UNION ALL TABLE account_part
    UNION ALL TABLE by_subscription
    UNION ALL TABLE invoice_match
    UNION ALL TABLE by_stripe
    UNION ALL TABLE note_match
    UNION ALL TABLE instance_match
) AS f
LEFT JOIN account AS a ON a.attribution_id = f.attribution_id
LEFT JOIN invoice AS i ON f.kind = 'invoice' AND i.key = f.key
ORDER BY f.rank, f.kind, f.key
LIMIT :limit;

-- name: of_stripe
-- The invoices that one of Stripe's ids or numbers belongs to.
SELECT id FROM invoice WHERE stripe_invoice_id = :text
UNION
SELECT id FROM invoice WHERE replaces_stripe_invoice_id = :text
UNION
SELECT id FROM invoice WHERE stripe_number = upper(:text)
UNION
SELECT invoice_id FROM refund WHERE stripe_refund_id = :text
UNION
SELECT invoice_id FROM dispute WHERE stripe_dispute_id = :text

-- name: invoice
SELECT key, 'key' AS found_by FROM invoice WHERE key = :text
UNION ALL
SELECT key,
       CASE WHEN stripe_invoice_id = :text OR replaces_stripe_invoice_id = :text OR stripe_number = upper(:text)
            THEN 'invoice' ELSE 'payment' END
FROM invoice
WHERE id IN ({of_stripe})
UNION ALL
SELECT i.key, 'credit note'
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.stripe_credit_note_id = :text OR n.key = :text
ORDER BY 1
LIMIT 3;

-- name: account
-- The accounts that the text names by an id; if there are none, those whose name it is.
WITH by_id AS (
    SELECT attribution_id FROM account WHERE attribution_id = :text
    UNION
    SELECT attribution_id FROM account WHERE stripe_customer_id = :text
    UNION
    SELECT attribution_id FROM subscription WHERE stripe_subscription_id = :text
)
TABLE by_id
UNION ALL
SELECT attribution_id FROM account WHERE lower(name) = lower(:text) AND NOT EXISTS (TABLE by_id)
ORDER BY 1
LIMIT 3;

-- name: credit_note
SELECT key FROM credit_note WHERE key = :text OR stripe_credit_note_id = :text;

-- name: invoices_of
SELECT key FROM invoice WHERE attribution_id = :attribution_id ORDER BY claimed_at DESC, key DESC LIMIT :limit;

-- name: near_invoices
(SELECT key AS name FROM invoice WHERE key < :text ORDER BY key DESC LIMIT :limit)
UNION ALL
(SELECT key FROM invoice WHERE key >= :text ORDER BY key LIMIT :limit)
UNION ALL
(SELECT key FROM invoice WHERE attribution_id = :account ORDER BY claimed_at DESC LIMIT :limit);

-- name: near_accounts
(SELECT attribution_id AS name FROM account WHERE attribution_id < :text ORDER BY attribution_id DESC LIMIT :limit)
UNION ALL
(SELECT attribution_id FROM account WHERE attribution_id >= :text ORDER BY attribution_id LIMIT :limit)
UNION ALL
(SELECT attribution_id FROM account
 WHERE strpos(lower(name), lower(:text)) > 0 OR strpos(lower(attribution_id), lower(:text)) > 0
 ORDER BY attribution_id LIMIT :limit);

-- name: names
SELECT attribution_id, name
FROM account
WHERE attribution_id = ANY (CAST(:accounts AS text[])) AND name IS NOT NULL;

-- name: stripe_ids
SELECT key, stripe_invoice_id FROM invoice WHERE key = ANY (CAST(:keys AS text[])) AND stripe_invoice_id IS NOT NULL;
