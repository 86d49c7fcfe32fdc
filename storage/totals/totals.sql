-- Totals for people who look. Amounts are in minor units, and currencies are never added together. The days are those of
-- settled invoices: the sums by period, and the days of the invoices that are not in them yet.

-- name: summed
SELECT billing_period, currency, workspace_class, day, duration_us, quantity_us, credits, amount
FROM period_day
WHERE {wanted}
UNION ALL
SELECT i.billing_period, i.currency, l.workspace_class, d.day, d.duration_us, d.quantity_us, d.credits, d.amount
FROM period_day_pending AS p
JOIN invoice AS i ON i.id = p.invoice_id
JOIN invoice_day AS d ON d.invoice_id = p.invoice_id
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
WHERE {wanted}

-- name: wanted
(CAST(:period AS text) IS NULL OR billing_period = :period)
AND (CAST(:since AS text) IS NULL OR billing_period >= :since)

-- name: sums
CAST(sum(duration_us) AS bigint) AS duration_us, sum(quantity_us) AS quantity_us, sum(credits) AS credits,
CAST(sum(amount) AS bigint) AS amount

-- name: by_month
SELECT billing_period AS period, currency, workspace_class, {sums}
FROM ({summed}) AS summed
GROUP BY billing_period, currency, workspace_class
ORDER BY billing_period, currency, workspace_class;

-- name: by_class
-- The last row of a currency is what accepted edits of settled invoices change, if there are any.
SELECT currency, workspace_class, duration_us, quantity_us, credits, amount
FROM (
    SELECT currency, workspace_class, {sums}, false AS is_edit
    FROM ({summed}) AS summed
    GROUP BY currency, workspace_class
    UNION ALL
    SELECT i.currency, '(edited in Stripe)', 0, 0, 0, CAST(sum(i.accepted_subtotal - i.amount) AS bigint), true
    FROM invoice AS i
    WHERE i.billing_period = :period AND i.accepted_subtotal IS NOT NULL AND {settled}
    GROUP BY i.currency
) AS class
ORDER BY currency, is_edit, amount DESC, workspace_class;

-- name: by_day
SELECT currency, day, workspace_class, {sums}
FROM ({summed}) AS summed
GROUP BY currency, day, workspace_class
ORDER BY currency, day, workspace_class;

-- name: by_state
-- All invoices of the period; `edited`: by accepted edits in Stripe; `credited`: by issued credit notes.
SELECT i.state, i.currency, count(*) AS invoices, CAST(sum(i.amount) AS bigint) AS amount,
       CAST(coalesce(sum(i.accepted_subtotal - i.amount), 0) AS bigint) AS edited,
       CAST(coalesce(sum(n.credited), 0) AS bigint) AS credited
FROM invoice AS i
LEFT JOIN ({credited}) AS n ON n.invoice_id = i.id
WHERE i.billing_period = :period
GROUP BY i.state, i.currency
ORDER BY i.currency, i.state;

-- name: credited
SELECT invoice_id, sum(amount) AS credited FROM credit_note WHERE state = 'issued' GROUP BY invoice_id

-- name: settled
-- The books agree, even if the invoice was blocked afterwards.
coalesce(i.resume_state, i.state) IN ({billed})

-- name: largest
-- Accounts by their net amount in one currency: without voided invoices, after credits. An account has one live invoice
-- without a subject for its period (`invoice_one_live`), so that a sort finds the largest of them; only the accounts that
-- have others, accepted edits or credits are added up before they can be compared.
WITH own AS (
    SELECT i.attribution_id, count(*) AS invoices,
           CAST(coalesce(sum(i.amount) FILTER (WHERE {settled}), 0) AS bigint) AS billed,
           CAST(coalesce(sum(i.amount) FILTER (WHERE NOT {settled}), 0) AS bigint) AS open,
           CAST(coalesce(sum(i.accepted_subtotal - i.amount), 0) AS bigint) AS edited,
           CAST(coalesce(sum(n.credited), 0) AS bigint) AS credited
    FROM invoice AS i
    LEFT JOIN LATERAL (
        SELECT sum(amount) AS credited FROM credit_note WHERE invoice_id = i.id AND state = 'issued'
    ) AS n ON true
    WHERE i.billing_period = :period AND i.currency = :currency AND i.state NOT IN ({dead})
      AND i.attribution_id = ANY (ARRAY(
          SELECT attribution_id
          FROM (
              SELECT attribution_id, amount
              FROM invoice
              WHERE billing_period = :period AND currency = :currency AND state NOT IN ({dead})
                AND reason = 'period' AND subject = '' AND accepted_subtotal IS NULL
              ORDER BY amount DESC, attribution_id
              LIMIT :most + (SELECT count(*) FROM credit_note)
          ) AS plain
          UNION
          SELECT attribution_id
          FROM invoice
          WHERE billing_period = :period AND currency = :currency AND state NOT IN ({dead})
            AND NOT (reason = 'period' AND subject = '' AND accepted_subtotal IS NULL)
      ))
    GROUP BY i.attribution_id
    ORDER BY sum(coalesce(i.accepted_subtotal, i.amount)) - coalesce(sum(n.credited), 0) DESC, i.attribution_id
    LIMIT :most
)
SELECT own.attribution_id, a.name, CAST(:currency AS text) AS currency, own.invoices, own.billed, own.open, own.edited,
       own.credited, before.net AS before
FROM own
JOIN account AS a USING (attribution_id)
LEFT JOIN LATERAL (
    SELECT CAST(sum(coalesce(i.accepted_subtotal, i.amount) - coalesce(n.credited, 0)) AS bigint) AS net
    FROM invoice AS i
    LEFT JOIN LATERAL (
        SELECT sum(amount) AS credited FROM credit_note WHERE invoice_id = i.id AND state = 'issued'
    ) AS n ON true
    WHERE i.attribution_id = own.attribution_id AND i.currency = :currency
      AND i.billing_period = CAST(:before AS text) AND i.state NOT IN ({dead})
) AS before ON true
ORDER BY own.billed + own.open + own.edited - own.credited DESC, own.attribution_id;

-- name: account_days
SELECT i.currency, d.day, l.workspace_class, {day_sums}
FROM invoice AS i
JOIN invoice_day AS d ON d.invoice_id = i.id
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
WHERE i.attribution_id = :attribution_id AND d.day >= :since AND d.day < :until
GROUP BY i.currency, d.day, l.workspace_class
ORDER BY i.currency, d.day, l.workspace_class;

-- name: day_sums
CAST(sum(d.duration_us) AS bigint) AS duration_us, sum(d.quantity_us) AS quantity_us, sum(d.credits) AS credits,
CAST(sum(d.amount) AS bigint) AS amount

-- name: invoice_days
SELECT i.currency, d.day, l.workspace_class, {day_sums}
FROM invoice AS i
JOIN invoice_day AS d ON d.invoice_id = i.id
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
WHERE i.key = :key
GROUP BY i.currency, d.day, l.workspace_class
ORDER BY d.day, l.workspace_class;
