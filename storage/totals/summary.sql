-- Amounts of a period and of one to compare it with, by account, class or currency. `settled`: the books agree, even if
-- the invoice was blocked afterwards. `edited`: what edits in Stripe that a person accepted change; it is of no usage, and
-- so of no class and day. Voided and deleted invoices bring nothing; credits are those that are issued.

-- name: amounts
CAST(coalesce(sum(amount) FILTER (WHERE now AND settled), 0) AS bigint) AS settled,
CAST(coalesce(sum(amount) FILTER (WHERE now AND NOT settled AND NOT blocked), 0) AS bigint) AS open,
CAST(coalesce(sum(amount) FILTER (WHERE now AND NOT settled AND blocked), 0) AS bigint) AS blocked,
CAST(coalesce(sum(edited) FILTER (WHERE now), 0) AS bigint) AS edited,
CAST(coalesce(sum(credited) FILTER (WHERE now), 0) AS bigint) AS credited,
CAST(coalesce(sum(amount + edited - credited) FILTER (WHERE NOT now), 0) AS bigint) AS before

-- name: net
coalesce(sum(amount + edited - credited) FILTER (WHERE now), 0)

-- name: is_edited
CAST('(edited in Stripe)' AS text)

-- name: invoiced
SELECT i.id, i.attribution_id, i.currency, i.amount, coalesce(i.accepted_subtotal - i.amount, 0) AS edited,
       coalesce(n.credited, 0) AS credited,
       i.billing_period = :period AS now, i.state = 'blocked' AS blocked,
       coalesce(i.resume_state, i.state) IN ({billed}) AS settled
FROM invoice AS i
LEFT JOIN (
    SELECT invoice_id, sum(amount) AS credited FROM credit_note WHERE state = 'issued' GROUP BY invoice_id
) AS n ON n.invoice_id = i.id
WHERE i.billing_period = ANY (ARRAY[CAST(:period AS text), CAST(:before AS text)])
  AND i.state NOT IN ({dead})

-- name: by_currency
SELECT currency AS subject, CAST(NULL AS text) AS name, currency, count(*) FILTER (WHERE now) AS invoices,
       CAST(NULL AS numeric) AS quantity_us, {amounts}
FROM ({invoiced}) AS i
GROUP BY currency
ORDER BY currency;

-- name: by_account
SELECT own.attribution_id AS subject, a.name, own.currency, own.invoices, CAST(NULL AS numeric) AS quantity_us,
       own.settled, own.open, own.blocked, own.edited, own.credited, own.before
FROM (
    SELECT attribution_id, currency, count(*) FILTER (WHERE now) AS invoices, {net} AS net, {amounts}
    FROM ({invoiced}) AS i
    GROUP BY attribution_id, currency
) AS own
JOIN account AS a USING (attribution_id)
ORDER BY own.currency, own.net DESC, own.before DESC, own.attribution_id;

-- name: by_class
-- Of lines; credits of a whole invoice, or the rest of a credit note beyond its lines, are those of no class. What edits in
-- Stripe change has a row of its own.
WITH i AS MATERIALIZED ({invoiced}),
part AS (
    SELECT l.workspace_class, i.currency, i.now, i.settled, i.blocked, coalesce(l.quantity_us, l.duration_us) AS quantity_us,
           l.amount, 0 AS edited, 0 AS credited
    FROM i
    JOIN invoice_line AS l ON l.invoice_id = i.id
    UNION ALL
    SELECT {is_edited}, currency, now, settled, blocked, NULL, 0, edited, 0 FROM i WHERE edited <> 0
    UNION ALL
    SELECT coalesce(l.workspace_class, ''), i.currency, i.now, i.settled, i.blocked, 0, 0, 0, noted.amount
    FROM (
        SELECT n.invoice_id, p.line_no, p.amount
        FROM credit_note AS n
        JOIN credit_note_line AS p ON p.credit_note_id = n.id
        WHERE n.state = 'issued'
        UNION ALL
        SELECT n.invoice_id, NULL, n.amount - coalesce(sum(p.amount), 0)
        FROM credit_note AS n
        LEFT JOIN credit_note_line AS p ON p.credit_note_id = n.id
        WHERE n.state = 'issued'
        GROUP BY n.id
    ) AS noted
    JOIN i ON i.id = noted.invoice_id
    LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (noted.invoice_id, noted.line_no)
)
SELECT workspace_class AS subject, CAST(NULL AS text) AS name, currency, CAST(NULL AS bigint) AS invoices,
       sum(quantity_us) FILTER (WHERE now) AS quantity_us, {amounts}
FROM part
GROUP BY workspace_class, currency
ORDER BY currency, {net} DESC, workspace_class;

-- name: by_day
-- Of settled invoices, compared with the day that is as far into the other period: in parentheses, its 31st.
WITH day AS (
    SELECT billing_period = :period AS now, currency,
           day - CAST(billing_period || '-01' AS date) AS number, quantity_us, amount
    FROM period_day
    WHERE billing_period = ANY (ARRAY[CAST(:period AS text), CAST(:before AS text)])
    UNION ALL
    SELECT i.billing_period = :period, i.currency, d.day - CAST(i.billing_period || '-01' AS date), d.quantity_us, d.amount
    FROM period_day_pending AS p
    JOIN invoice AS i ON i.id = p.invoice_id
    JOIN invoice_day AS d ON d.invoice_id = p.invoice_id
    WHERE i.billing_period = ANY (ARRAY[CAST(:period AS text), CAST(:before AS text)])
)
SELECT CASE WHEN bool_or(now) OR number < CAST(CAST(:period || '-01' AS date) + interval '1 month' AS date)
                                          - CAST(:period || '-01' AS date)
            THEN CAST(CAST(:period || '-01' AS date) + number AS text)
            ELSE '(' || (CAST(CAST(:before AS text) || '-01' AS date) + number) || ')'
       END AS subject, CAST(NULL AS text) AS name, currency,
       CAST(NULL AS bigint) AS invoices, sum(quantity_us) FILTER (WHERE now) AS quantity_us,
       CAST(coalesce(sum(amount) FILTER (WHERE now), 0) AS bigint) AS settled,
       CAST(0 AS bigint) AS open, CAST(0 AS bigint) AS blocked, CAST(0 AS bigint) AS edited, CAST(0 AS bigint) AS credited,
       CAST(coalesce(sum(amount) FILTER (WHERE NOT now), 0) AS bigint) AS before
FROM day
GROUP BY currency, number
ORDER BY currency, number;

-- name: without_day
-- What `by_day` leaves out: unsettled invoices, and credits, whose days are not known.
SELECT '' AS subject, CAST(NULL AS text) AS name, currency, CAST(NULL AS bigint) AS invoices,
       CAST(NULL AS numeric) AS quantity_us, CAST(0 AS bigint) AS settled,
       CAST(coalesce(sum(amount) FILTER (WHERE now AND NOT settled AND NOT blocked), 0) AS bigint) AS open,
       CAST(coalesce(sum(amount) FILTER (WHERE now AND NOT settled AND blocked), 0) AS bigint) AS blocked,
       CAST(0 AS bigint) AS edited,
       CAST(coalesce(sum(credited) FILTER (WHERE now), 0) AS bigint) AS credited,
       CAST(coalesce(sum(CASE WHEN settled THEN 0 ELSE amount END - credited) FILTER (WHERE NOT now), 0) AS bigint) AS before
FROM ({invoiced}) AS i
GROUP BY currency
HAVING bool_or(NOT settled OR credited > 0)
ORDER BY currency;

-- name: edited
SELECT {is_edited} AS subject, CAST(NULL AS text) AS name, currency, CAST(NULL AS bigint) AS invoices,
       CAST(NULL AS numeric) AS quantity_us,
       CAST(0 AS bigint) AS settled, CAST(0 AS bigint) AS open, CAST(0 AS bigint) AS blocked,
       CAST(coalesce(sum(edited) FILTER (WHERE now), 0) AS bigint) AS edited,
       CAST(0 AS bigint) AS credited,
       CAST(coalesce(sum(edited) FILTER (WHERE NOT now), 0) AS bigint) AS before
FROM ({invoiced}) AS i
GROUP BY currency
HAVING bool_or(edited <> 0)
ORDER BY currency;
