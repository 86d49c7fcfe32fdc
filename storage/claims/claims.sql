-- name: lock_accounts
-- In a fixed order, so that concurrent runs wait for each other and never deadlock.
SELECT attribution_id
FROM account
WHERE attribution_id > :after
  AND (CAST(:through AS text) IS NULL OR attribution_id <= :through)
  AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
ORDER BY attribution_id
FOR UPDATE;

-- name: lock_account
SELECT attribution_id FROM account WHERE attribution_id = :attribution_id FOR UPDATE;

-- name: accounts
-- After the locks, in a statement of its own: it must see the changes of the transaction that held them.
-- A row for each currency of an account's windows. A period's invoice has its currency as its subject, except in that of
-- the earliest window, or of a live invoice without a subject.
-- A period leaves out accounts that are charged on the invoices of a subscription in this currency that has not ended,
-- unless its present cycle is longer than about a month.
WITH own AS MATERIALIZED (
    SELECT attribution_id, currency,
           row_number() OVER (PARTITION BY attribution_id ORDER BY min(lower(during))) AS number
    FROM subscription
    WHERE attribution_id > :after
      AND (CAST(:through AS text) IS NULL OR attribution_id <= :through)
      AND (CAST(:attribution_id AS text) IS NULL OR attribution_id = :attribution_id)
    GROUP BY attribution_id, currency
)
SELECT a.attribution_id, billed.currency, a.currency AS account_currency, a.stripe_customer_id, billed.subject,
       1 + coalesce(max(i.ordinal), 0) AS ordinal,
       {own_columns}
FROM account AS a
LEFT JOIN account_policy AS p USING (attribution_id)
LEFT JOIN own USING (attribution_id)
LEFT JOIN invoice AS first
    ON (first.billing_period, first.attribution_id, first.reason, first.subject)
     = (:period, a.attribution_id, 'period', '')
   AND first.state NOT IN ({dead})
CROSS JOIN LATERAL (
    SELECT coalesce(own.currency, a.currency) AS currency,
           CASE WHEN :reason <> 'period' THEN CAST(:subject AS text)
                WHEN coalesce(first.currency = own.currency, own.number = 1, true) THEN ''
                ELSE own.currency
           END AS subject
) AS billed
LEFT JOIN invoice AS i
    ON (i.billing_period, i.attribution_id, i.reason, i.subject)
     = (:period, a.attribution_id, :reason, billed.subject)
WHERE a.attribution_id > :after
  AND (CAST(:through AS text) IS NULL OR a.attribution_id <= :through)
  AND (CAST(:attribution_id AS text) IS NULL OR a.attribution_id = :attribution_id)
  AND (CAST(:currency AS text) IS NULL OR billed.currency = :currency)
  AND NOT (
      :reason = 'period'
      AND coalesce(p.charge_on, CAST(:charge_on AS text)) = 'subscription'
      AND EXISTS (
          SELECT FROM subscription AS s
          WHERE (s.attribution_id, s.currency) = (a.attribution_id, billed.currency)
            AND s.stripe_subscription_id IS NOT NULL
            AND upper_inf(s.during)
            AND NOT coalesce((
                SELECT upper(c.during) - lower(c.during) > CAST(:longest_month AS interval)
                FROM subscription_cycle AS c
                WHERE c.stripe_subscription_id = s.stripe_subscription_id
                ORDER BY c.during DESC
                LIMIT 1
            ), false)
      )
  )
GROUP BY a.attribution_id, p.attribution_id, own.number, billed.currency, billed.subject
HAVING coalesce(bool_and(i.state IN ({dead})), true)
ORDER BY a.attribution_id, own.number;

-- name: own_columns
p.charge_on, p.finalization, p.limit_amount, p.limit_multiple, p.limit_carried_share, p.included_credits,
       coalesce(p.limits_off, '{}') AS limits_off, p.trial_usage, p.paused_usage,
       a.email_in_stripe, a.address_in_stripe, a.unsent <> '{}' AS unsent, a.customer_of_another,
       (SELECT other.attribution_id FROM account AS other
        WHERE other.stripe_customer_id = a.customer_of_another) AS other_account

-- name: account
SELECT a.attribution_id, CAST(:currency AS text) AS currency, a.currency AS account_currency, a.stripe_customer_id,
       CAST(:subject AS text) AS subject, 1 AS ordinal,
       {own_columns}
FROM account AS a
LEFT JOIN account_policy AS p USING (attribution_id)
WHERE a.attribution_id = :attribution_id;

-- name: create_page_usage
CREATE TEMPORARY TABLE page_usage (
    attribution_id   text COLLATE "C" NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    instance_id      text COLLATE "C" NOT NULL,
    workspace_class  text COLLATE "C" NOT NULL,
    rate_from        timestamptz NOT NULL,
    month            text COLLATE "C" NOT NULL,
    quantity         numeric NOT NULL,
    during           tstzrange NOT NULL
) ON COMMIT DROP;

-- name: fill_page_usage
INSERT INTO page_usage {usage};

-- name: usage
-- billable = segment ∩ the account's windows ∩ [bill_after, cutoff) − live claims, split where a rate changes and, if
-- prices depend on the month, at the ends of months, or of the account's own cycles. What follows the last sign of a
-- silent instance is not billable. Each window has its currency. A window that is not charged (a trial, for example)
-- bills nothing.
-- What ended before the account's mark is not read, nor are its claims: a month costs what it has itself.
-- Faults are judged after the joins: by a condition, PostgreSQL expects so few instances that it reads all claims for
-- each of them. The pieces are computed once, not for every rate.
-- Claims are found by the account's invoices, and by instance only where an instance has had several accounts or has
-- run since before the mark: the index of `claim.invoice_id` costs a tenth of finding each instance in the exclusion
-- constraint's index.
WITH page AS MATERIALIZED (
    SELECT a.attribution_id, s.currency,
           CASE WHEN a.attribution_id = ANY (CAST(:slices_of AS text[])) THEN a.attribution_id ELSE '' END AS slices_of,
           range_agg(s.during) * tstzmultirange(
               tstzrange(greatest(a.bill_after, CAST(:bill_after AS timestamptz)), NULL)
               * tstzrange(NULL, CAST(:cutoff AS timestamptz))
           ) AS chargeable
    FROM account AS a
    JOIN account_window AS s USING (attribution_id)
    WHERE a.attribution_id = ANY (CAST(:accounts AS text[]))
      AND coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
      AND (a.attribution_id, s.currency) IN (
          SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]))
      )
    GROUP BY a.attribution_id, s.currency
),
mark AS MATERIALIZED ({marks}),
claimed AS MATERIALIZED (
    SELECT own.instance_id, range_agg(own.during) AS during
    FROM (
        SELECT c.instance_id, c.during
        FROM claim AS c
        WHERE c.invoice_id = ANY (ARRAY(
            SELECT i.id FROM mark JOIN invoice AS i USING (attribution_id) WHERE i.cutoff > mark.until
        ))
        UNION ALL
        SELECT c.instance_id, c.during
        FROM claim AS c
        WHERE {of_instances}
    ) AS own
    GROUP BY own.instance_id
),
rate AS MATERIALIZED (
    SELECT v.slices_of, v.rate_from, v.month, tstzrange(v.since, v.until) AS during
    FROM unnest(
        CAST(:slices_of AS text[]), CAST(:rates_from AS timestamptz[]), CAST(:months AS text[]),
        CAST(:slices_from AS timestamptz[]), CAST(:slices_to AS timestamptz[])
    ) AS v (slices_of, rate_from, month, since, until)
)
SELECT piece.attribution_id,
       piece.currency,
       piece.instance_id,
       coalesce(nullif(piece.workspace_class, ''), :default_class) AS workspace_class,
       rate.rate_from,
       rate.month,
       piece.quantity,
       piece.during * rate.during AS during
FROM (
    SELECT s.attribution_id, page.currency, s.instance_id, s.workspace_class, s.quantity, page.slices_of,
           unnest(CASE WHEN s.fault IS NULL AND lower(s.during) < :cutoff THEN
               tstzmultirange(s.during * tstzrange(NULL, silent_from(
                   s.during, s.started_time, s.last_sign, s.last_source, CAST(:cutoff AS timestamptz), o.name,
                   o.stale_after, CAST(:api_stale_after AS interval), CAST(:stale_after AS interval),
                   CAST(:max_instance_age AS interval)
               ))) * page.chargeable
               - coalesce(claimed.during, '{}'::tstzmultirange)
           END) AS during
    FROM page
    JOIN mark USING (attribution_id)
    CROSS JOIN LATERAL ({ran}) AS s
    LEFT JOIN claimed USING (instance_id)
    LEFT JOIN source AS o ON o.name = s.last_source
) AS piece
JOIN rate ON rate.slices_of = piece.slices_of AND rate.during && piece.during;

-- name: ran
-- Found account by account, in an index of account and end: the cost does not grow with the accounts' past.
SELECT * FROM instance_segment AS r WHERE r.attribution_id = mark.attribution_id AND r.until > mark.until OFFSET 0

-- name: of_instances
instance_key(c.instance_id) = ANY (ARRAY(
            SELECT instance_key(s.instance_id)
            FROM mark
            CROSS JOIN LATERAL ({ran}) AS s
            WHERE mark.until > '-infinity' AND lower(s.during) < mark.until
            UNION ALL
            SELECT instance_key(p.instance_id)
            FROM mark
            JOIN instance_payer AS p USING (attribution_id)
        ))

-- name: marks
-- Until when each account's usage is claimed: all that had ended by then is on invoices, as far as it was chargeable. A
-- mark does not hold beyond what was changed or released since, nor beyond the first window that it does not know.
SELECT a.attribution_id,
       CASE WHEN a.claimed_until IS NULL THEN '-infinity' ELSE least(
           a.claimed_until, reopened.since,
           lower({chargeable} * tstzmultirange(tstzrange(NULL, a.claimed_until)) - a.claimed_windows)
       ) END AS until
FROM account AS a
CROSS JOIN LATERAL (
    SELECT min(r.since) AS since FROM reopened_usage AS r WHERE r.attribution_id = a.attribution_id
) AS reopened
WHERE a.attribution_id = ANY (CAST(:accounts AS text[]))

-- name: chargeable
-- An account's windows of all currencies that are charged, from when its usage is billed and has a rate.
coalesce((
    SELECT range_agg(w.during)
    FROM account_window AS w
    WHERE w.attribution_id = a.attribution_id
      AND coalesce(w.charged, w.kind = ANY (CAST(:charged_kinds AS text[])))
), '{}') * tstzmultirange(tstzrange(
    greatest(a.bill_after, CAST(:bill_after AS timestamptz), CAST(:first_rate AS timestamptz)), NULL
))

-- name: lower_marks
-- Before the usage is read: what commits after this statement stays, and lowers the mark at the next claim.
WITH taken AS (
    DELETE FROM reopened_usage WHERE attribution_id = ANY (CAST(:accounts AS text[])) RETURNING attribution_id, since
)
UPDATE account AS a
SET claimed_until = first.since
FROM (SELECT attribution_id, min(since) AS since FROM taken GROUP BY attribution_id) AS first
WHERE a.attribution_id = first.attribution_id AND a.claimed_until > first.since;

-- name: raise_marks
-- Under the accounts' locks, after the claims: accounts with nothing left in `page_usage`, which has their usage in all
-- currencies of their windows.
WITH left_over AS MATERIALIZED (
    SELECT DISTINCT u.attribution_id
    FROM page_usage AS u
    WHERE NOT EXISTS (
        SELECT
        FROM invoice AS i
        JOIN invoice_line AS l ON l.invoice_id = i.id
        WHERE i.key = ANY (CAST(:keys AS text[]))
          AND (i.attribution_id, i.currency, l.workspace_class, l.rate_from)
            = (u.attribution_id, u.currency, u.workspace_class, u.rate_from)
    )
)
UPDATE account
SET claimed_until = :cutoff, claimed_windows = mark.windows
FROM (
    SELECT a.attribution_id, {chargeable} * tstzmultirange(tstzrange(NULL, CAST(:cutoff AS timestamptz))) AS windows
    FROM account AS a
    WHERE a.attribution_id = ANY (CAST(:accounts AS text[]))
      AND a.attribution_id NOT IN (SELECT attribution_id FROM left_over)
      AND NOT EXISTS (
          SELECT FROM account_window AS w
          WHERE w.attribution_id = a.attribution_id
            AND (w.attribution_id, w.currency) NOT IN (
                SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[]))
            )
      )
) AS mark
WHERE account.attribution_id = mark.attribution_id
  AND (account.claimed_until IS NULL OR account.claimed_until <= :cutoff)
  AND (account.claimed_until, account.claimed_windows) IS DISTINCT FROM (CAST(:cutoff AS timestamptz), mark.windows);

-- name: lines
SELECT attribution_id, currency, workspace_class, rate_from,
       CAST(sum(us) AS bigint) AS duration_us, sum(us * quantity) AS quantity_us,
       CAST(sum(carried) AS bigint) AS carried_us, sum(carried * quantity) AS carried_quantity_us,
       month, min(instance_id) AS first_instance
FROM (
    SELECT attribution_id, currency, workspace_class, rate_from, month, quantity, min(instance_id) AS instance_id,
           CAST(extract(epoch FROM sum(upper(during) - lower(during))) * 1000000 AS bigint) AS us,
           CAST(extract(epoch FROM coalesce(
               sum(least(upper(during), CAST(:period_start AS timestamptz)) - lower(during))
                   FILTER (WHERE lower(during) < :period_start),
               interval '0'
           )) * 1000000 AS bigint) AS carried
    FROM page_usage
    GROUP BY attribution_id, currency, workspace_class, rate_from, month, quantity
) AS of_quantity
GROUP BY attribution_id, currency, workspace_class, rate_from, month
ORDER BY attribution_id, currency, workspace_class, rate_from, month;

-- name: months_used
-- The places in each month that the accounts' live invoices hold, except those of the invoice to be claimed again.
SELECT i.attribution_id, m.month, m.position, m.credits
FROM invoice AS i
JOIN invoice_month AS m ON m.invoice_id = i.id
WHERE i.attribution_id = ANY (CAST(:accounts AS text[]))
  AND i.state NOT IN ({dead})
  AND i.id IS DISTINCT FROM CAST(:except AS bigint)
ORDER BY i.attribution_id, m.month, m.position;

-- name: preview_lines
WITH page_usage AS ({usage})
{lines};

-- name: insert_invoices
INSERT INTO invoice (
    billing_period, reason, cutoff, service_start, rate_card_digest, stripe_invoice_id, charge_on,
    state, resume_state, blocked_kind, blocked_reason, blocked_since, finalization, finalize_at,
    key, attribution_id, subject, ordinal, currency, stripe_customer_id, amount, credits
)
SELECT :period, :reason, :cutoff, CAST(:service_start AS timestamptz), :rate_card_digest,
       CAST(:stripe_invoice_id AS text),
       CASE WHEN CAST(:stripe_invoice_id AS text) IS NULL THEN 'own' ELSE 'subscription' END,
       CASE WHEN priced.hold = '' THEN 'claimed' ELSE 'blocked' END,
       CASE WHEN priced.hold <> '' THEN 'claimed' END,
       CASE WHEN priced.hold <> '' THEN 'limit' END,
       nullif(priced.hold, ''),
       CASE WHEN priced.hold <> '' THEN now() END,
       priced.finalization,
       CASE WHEN priced.finalization = 'grace' THEN now() + CAST(:grace AS interval) END,
       priced.key, priced.attribution_id, priced.subject, priced.ordinal, priced.currency, priced.stripe_customer_id,
       priced.amount, priced.credits
FROM unnest(
    CAST(:keys AS text[]), CAST(:attribution_ids AS text[]), CAST(:subjects AS text[]), CAST(:ordinals AS integer[]),
    CAST(:currencies AS text[]), CAST(:customers AS text[]), CAST(:amounts AS bigint[]),
    CAST(:credits AS numeric[]), CAST(:holds AS text[]), CAST(:finalizations AS text[])
) AS priced (key, attribution_id, subject, ordinal, currency, stripe_customer_id, amount, credits, hold, finalization)
RETURNING id, key;

-- name: insert_lines
INSERT INTO invoice_line (
    invoice_id, line_no, workspace_class, rate_from, credits_per_minute, rated_as_default,
    price_per_credit, duration_us, quantity_us, carried_us, credits, amount, kind, tiers, step, correction_key
)
SELECT *
FROM unnest(
    CAST(:invoice_ids AS bigint[]), CAST(:line_nos AS smallint[]), CAST(:classes AS text[]),
    CAST(:rates_from AS timestamptz[]), CAST(:rates AS numeric[]), CAST(:defaulted AS boolean[]),
    CAST(:prices AS numeric[]), CAST(:durations AS bigint[]), CAST(:quantities AS numeric[]),
    CAST(:carried AS bigint[]),
    CAST(:credits AS numeric[]), CAST(:amounts AS bigint[]), CAST(:kinds AS text[]), CAST(:tiers AS jsonb[]),
    CAST(:steps AS integer[]), CAST(:corrections AS text[])
);

-- name: insert_claims
-- In the order in which a report reads them, so that an invoice's claims are adjacent on disk.
INSERT INTO claim (invoice_id, line_no, instance_id, during, quantity)
SELECT l.invoice_id, l.line_no, u.instance_id, u.during, u.quantity
FROM invoice AS i
JOIN invoice_line AS l ON l.invoice_id = i.id
JOIN page_usage AS u
    ON (u.attribution_id, u.currency, u.workspace_class, u.rate_from)
     = (i.attribution_id, i.currency, l.workspace_class, l.rate_from)
WHERE i.id = ANY (CAST(:invoice_ids AS bigint[]))
ORDER BY l.invoice_id, u.instance_id, u.during;

-- name: drop_page_usage
DROP TABLE page_usage;

-- name: excused
-- Carried usage that a person has approved on an invoice that is dead now, or that was kept back for an unknown class.
SELECT u.attribution_id, u.currency, u.workspace_class, u.rate_from,
       CAST(sum(extract(epoch FROM upper(part.during) - lower(part.during)) * 1000000) AS bigint) AS duration_us,
       sum(extract(epoch FROM upper(part.during) - lower(part.during)) * 1000000 * u.quantity) AS quantity_us
FROM page_usage AS u
CROSS JOIN LATERAL (
    SELECT range_agg(given.during) AS during
    FROM (
        SELECT h.during
        FROM claim_history AS h
        JOIN invoice AS i ON i.id = h.invoice_id
        WHERE h.instance_id = u.instance_id
          AND (i.attribution_id, i.currency) = (u.attribution_id, u.currency)
          AND i.state IN ({dead})
          AND i.approved_amount IS NOT NULL
        UNION ALL
        SELECT tstzrange(kept.since, kept.until)
        FROM unnest(
            CAST(:kept_accounts AS text[]), CAST(:kept_currencies AS text[]), CAST(:kept_from AS timestamptz[]),
            CAST(:kept_to AS timestamptz[])
        ) AS kept (attribution_id, currency, since, until)
        WHERE (kept.attribution_id, kept.currency) = (u.attribution_id, u.currency)
    ) AS given
) AS approved
CROSS JOIN LATERAL unnest(
    approved.during * tstzmultirange(u.during * tstzrange(NULL, CAST(:period_start AS timestamptz)))
) AS part (during)
WHERE (u.attribution_id, u.currency) IN (
    SELECT * FROM unnest(CAST(:excused AS text[]), CAST(:excused_in AS text[]))
)
GROUP BY u.attribution_id, u.currency, u.workspace_class, u.rate_from;

-- name: preview_excused
WITH page_usage AS ({usage})
{excused};
