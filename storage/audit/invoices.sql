-- Lines compared with their rates and prices, and invoices with their lines; so are the bills as corrected.

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, found.key, found.detail

-- name: factors
-- Minor units per major unit, by currency.
JOIN unnest(CAST(:currencies AS text[]), CAST(:factors AS numeric[])) AS f (currency, factor) ON f.currency = i.currency

-- name: bill
-- An invoice's own bill, as the correction 0, and its bills as corrected.
(
    SELECT id AS invoice_id, 0 AS correction, rate_card_digest, amount, credits, CAST(NULL AS bigint) AS correction_id
    FROM invoice
    UNION ALL
    SELECT invoice_id, ordinal, rate_card_digest, amount, NULL, id FROM correction
) AS b

-- name: line
-- The lines of `bill`.
(
    SELECT b.invoice_id, b.correction, b.rate_card_digest, l.line_no, l.kind, l.workspace_class, l.rate_from,
           l.credits_per_minute, l.rated_as_default, l.price_per_credit, l.duration_us, l.quantity_us, l.credits,
           l.amount, l.step, l.tiers
    FROM {bill}
    JOIN invoice_line AS l ON l.invoice_id = b.invoice_id AND b.correction = 0
    UNION ALL
    SELECT b.invoice_id, b.correction, b.rate_card_digest, l.line_no, l.kind, l.workspace_class, l.rate_from,
           l.credits_per_minute, l.rated_as_default, l.price_per_credit, l.duration_us, l.quantity_us, l.credits,
           l.amount, l.step, l.tiers
    FROM {bill}
    JOIN correction_line AS l USING (correction_id)
) AS l

-- name: named
'line ' || l.line_no || CASE WHEN l.correction > 0 THEN ' of correction ' || l.correction ELSE '' END

-- name: usage_lines
-- Credits in millionths: us × rate / 60, rounded half-even, exact by whole numbers and remainders. The amount: credits
-- × price in minor units, rounded half-up to a multiple of the line's step. (A product by 1 / step is exact.)
{finding}
FROM (
    SELECT odd.kind, i.attribution_id, i.key, l.line_no,
           {named} || ': '
           || CASE odd.kind
                  WHEN 'wrong_credits'
                  THEN trim_scale(metered.us) || ' us at ' || l.credits_per_minute || ' credits per minute are '
                       || trim_scale(rounded.millionths / 1000000) || ' credits, not ' || l.credits
                  ELSE l.credits || ' credits at ' || l.price_per_credit || ' ' || i.currency || ' each are '
                       || amount.should_be || ' minor units, not ' || l.amount
              END AS detail
    FROM invoice AS i
    {factors}
    JOIN {line} ON l.invoice_id = i.id
    CROSS JOIN LATERAL (SELECT coalesce(l.quantity_us, l.duration_us) AS us) AS metered
    CROSS JOIN LATERAL (SELECT metered.us * l.credits_per_minute AS product) AS exact
    CROSS JOIN LATERAL (SELECT div(exact.product, 60) AS whole) AS cut
    CROSS JOIN LATERAL (
        SELECT cut.whole + CASE WHEN exact.product - cut.whole * 60 > 30 THEN 1
                                WHEN exact.product - cut.whole * 60 = 30 THEN mod(cut.whole, 2)
                                ELSE 0
                           END AS millionths
    ) AS rounded
    CROSS JOIN LATERAL (
        SELECT round(l.credits * l.price_per_credit * f.factor * (1.0 / l.step)) * l.step AS should_be
    ) AS amount
    CROSS JOIN LATERAL (
        SELECT 'wrong_credits' AS kind WHERE l.credits * 1000000 <> rounded.millionths
        UNION ALL
        SELECT 'wrong_amount' WHERE amount.should_be <> l.amount
    ) AS odd
    WHERE {scope} AND l.kind = 'usage'
) AS found
ORDER BY found.key, found.line_no;

-- name: tier_lines
-- A tier line prices all credits of its rate version by tiers, less the amounts of the usage lines.
{finding}
FROM (
    SELECT 'wrong_tiers' AS kind, i.attribution_id, i.key, l.line_no,
           {named} || ' prices ' || trim_scale(priced.credits) || ' credits at ' || l.amount
           || ' minor units, in addition to usage lines of ' || trim_scale(coalesce(u.credits, 0)) || ' credits and '
           || coalesce(u.amount, 0) || ' minor units: its amount should be '
           || (priced.rounded - coalesce(u.amount, 0)) AS detail
    FROM invoice AS i
    {factors}
    JOIN {line} ON l.invoice_id = i.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(CAST(s ->> 'credits' AS numeric)), 0) AS credits,
               round(
                   coalesce(sum(CAST(s ->> 'credits' AS numeric) * CAST(s ->> 'price' AS numeric)), 0)
                   * f.factor * (1.0 / l.step)
               ) * l.step AS rounded
        FROM jsonb_array_elements(l.tiers) AS s
    ) AS priced
    LEFT JOIN LATERAL (
        SELECT sum(x.credits) AS credits, sum(x.amount) AS amount
        FROM (SELECT l.* FROM {line}) AS x
        WHERE (x.invoice_id, x.correction, x.rate_from) = (l.invoice_id, l.correction, l.rate_from) AND x.kind = 'usage'
    ) AS u ON true
    WHERE {scope}
      AND l.kind = 'tiers'
      AND (priced.credits <> coalesce(u.credits, 0)
           OR priced.rounded - coalesce(u.amount, 0) <> l.amount
           OR l.credits <> 0 OR l.duration_us <> 0)
) AS found
ORDER BY found.key, found.line_no;

-- name: rates
-- Compare rates and prices with the rate card that rated the invoice, which may be an earlier, stored card.
{finding}
FROM (
    SELECT 'wrong_rate' AS kind, i.attribution_id, i.key, l.line_no,
           {named} || ' has ' || l.credits_per_minute || ' credits per minute and ' || l.price_per_credit
           || ' ' || i.currency || ' per credit; in the rate card ' || coalesce(l.rate_card_digest, '') || ' class '
           || l.workspace_class || ' has '
           || coalesce(CAST(coalesce(r.rate, d.rate) AS text), 'no rate') || ' and '
           || coalesce(CAST(p.price AS text), 'no price') || ' from ' || (to_json(l.rate_from) #>> '{}') AS detail
    FROM invoice AS i
    JOIN {line} ON l.invoice_id = i.id
    LEFT JOIN card_rate AS r
        ON (r.digest, r.since, r.class) = (l.rate_card_digest, l.rate_from, l.workspace_class)
    LEFT JOIN card_rate AS d
        ON (d.digest, d.since, d.class) = (l.rate_card_digest, l.rate_from, CAST(:default_class AS text))
    LEFT JOIN card_price AS p
        ON (p.digest, p.since, p.currency) = (l.rate_card_digest, l.rate_from, i.currency) AND p.base
    WHERE {scope}
      AND l.rate_card_digest IN (SELECT digest FROM card_version)
      AND CASE l.kind
              WHEN 'usage'
              THEN l.credits_per_minute IS DISTINCT FROM coalesce(r.rate, d.rate)
                   OR l.rated_as_default IS DISTINCT FROM (r.rate IS NULL)
                   OR l.price_per_credit IS DISTINCT FROM p.price
              WHEN 'tiers'
              THEN l.price_per_credit IS DISTINCT FROM p.price
                   OR EXISTS (
                       SELECT FROM jsonb_array_elements(l.tiers) AS s
                       WHERE CAST(s ->> 'price' AS numeric) <> 0
                         AND NOT EXISTS (
                             SELECT FROM card_price AS q
                             WHERE (q.digest, q.since, q.currency, q.price)
                                 = (l.rate_card_digest, l.rate_from, i.currency, CAST(s ->> 'price' AS numeric))
                         )
                   )
              ELSE false
          END
) AS found
ORDER BY found.key, found.line_no;

-- name: create_versions
-- The versions of all rate cards that are known: the stored ones, and today's.
CREATE TEMPORARY TABLE card_version ON COMMIT DROP AS
SELECT card.digest, CAST(v ->> 'effective_from' AS timestamptz) AS since, v AS version
FROM (
    SELECT digest, content FROM rate_card WHERE digest <> CAST(:digest AS text)
    UNION ALL
    SELECT CAST(:digest AS text), CAST(:content AS jsonb)
) AS card
CROSS JOIN LATERAL jsonb_array_elements(card.content) AS v;

-- name: create_rates
CREATE TEMPORARY TABLE card_rate ON COMMIT DROP AS
SELECT c.digest, c.since, r.key AS class, CAST(r.value AS numeric) AS rate
FROM card_version AS c
CROSS JOIN LATERAL jsonb_each_text(c.version -> 'credits_per_minute') AS r;

-- name: create_prices
-- `base`: the price of a version's first tier; other prices are those of its tiers.
CREATE TEMPORARY TABLE card_price ON COMMIT DROP AS
SELECT c.digest, c.since, p.key AS currency, CAST(p.value AS numeric) AS price, true AS base
FROM card_version AS c
CROSS JOIN LATERAL jsonb_each_text(c.version -> 'price_per_credit') AS p
UNION ALL
SELECT c.digest, c.since, t.key, CAST(step ->> 'price' AS numeric), false
FROM card_version AS c
CROSS JOIN LATERAL jsonb_each(c.version -> 'tiers') AS t
CROSS JOIN LATERAL jsonb_array_elements(t.value) AS step;

-- name: totals
{finding}
FROM (
    SELECT 'wrong_total' AS kind, i.attribution_id, i.key,
           CASE WHEN b.correction > 0 THEN 'its correction ' || b.correction ELSE 'it' END || ' has '
           || b.amount || ' minor units' || coalesce(' and ' || b.credits || ' credits', '') || ', but its lines ('
           || coalesce(t.lines, 0) || ') total ' || coalesce(t.amount, 0)
           || CASE WHEN b.credits IS NULL THEN '' ELSE ' and ' || trim_scale(coalesce(t.credits, 0)) END AS detail
    FROM invoice AS i
    JOIN {bill} ON b.invoice_id = i.id
    LEFT JOIN (
        SELECT invoice_id, correction, count(*) AS lines, sum(amount) AS amount, sum(credits) AS credits
        FROM {line}
        GROUP BY invoice_id, correction
    ) AS t USING (invoice_id, correction)
    WHERE {scope}
      AND (b.amount <> coalesce(t.amount, 0) OR b.credits <> coalesce(t.credits, 0))
) AS found
ORDER BY found.key;

-- name: figures
SELECT count(*) AS invoices, coalesce(sum(l.lines), 0) AS lines,
       count(*) FILTER (WHERE i.rate_card_digest NOT IN (SELECT digest FROM card_version)) AS rated_by_other_cards,
       count(*) FILTER (WHERE i.state IN ({dead})) AS voided
FROM invoice AS i
LEFT JOIN (SELECT invoice_id, count(*) AS lines FROM invoice_line GROUP BY invoice_id) AS l ON l.invoice_id = i.id
WHERE {scope};

-- name: amounts
-- In minor units, of invoices that are not voided or deleted.
SELECT i.currency, CAST(sum(i.amount) AS numeric(40, 0)) AS amount
FROM invoice AS i
WHERE {scope} AND i.state NOT IN ({dead})
GROUP BY i.currency
ORDER BY i.currency;
