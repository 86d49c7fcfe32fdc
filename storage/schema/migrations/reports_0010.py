"""What revision 0010 changes for reports: accepted edits in Stripe in the views' sums, whose a name is, "not yet"."""

# A name that was given before its instant was recorded is an import's, which the names of Stripe's customers do not
# replace.
NAMES = """
UPDATE account
SET details_at = details_at || jsonb_build_object('name', created_at)
WHERE name IS NOT NULL AND details_at ->> 'name' IS NULL
"""

V_INVOICE = """
CREATE OR REPLACE VIEW v_invoice AS
SELECT i.key AS invoice_key, i.attribution_id AS account, a.name AS account_name, i.billing_period AS period, i.reason,
       i.state, coalesce(i.resume_state, i.state) IN ('billed', 'paid', 'uncollectible') AS settled,
       upper(i.currency) AS currency, major_units(i.amount, i.currency) AS amount,
       major_units(coalesce(n.credited, 0), i.currency) AS credited,
       major_units(CASE WHEN i.state IN ('voided', 'deleted') THEN 0
                        ELSE coalesce(i.accepted_subtotal, i.amount) - coalesce(n.credited, 0)
                   END, i.currency) AS net,
       CASE WHEN i.state NOT IN ('voided', 'deleted') THEN major_units(i.stripe_discount, i.currency) END AS discount,
       CASE WHEN i.state NOT IN ('voided', 'deleted') THEN major_units(i.stripe_tax, i.currency) END AS tax,
       CASE WHEN i.state NOT IN ('voided', 'deleted') THEN major_units(i.stripe_total, i.currency) END AS total,
       CASE WHEN i.state NOT IN ('voided', 'deleted')
            THEN major_units(i.accepted_subtotal - i.amount, i.currency)
       END AS accepted_change,
       i.credits, i.cutoff, i.claimed_at, i.finalized_at, i.billed_at, i.paid_at, i.uncollectible_at, i.voided_at,
       i.blocked_since, i.blocked_reason, i.stripe_invoice_id, i.stripe_number, i.stripe_customer_id
FROM invoice AS i
JOIN account AS a USING (attribution_id)
LEFT JOIN LATERAL (
    SELECT sum(c.amount) AS credited FROM credit_note AS c WHERE c.invoice_id = i.id AND c.state = 'issued'
) AS n ON true
"""

V_REVENUE = """
CREATE OR REPLACE VIEW v_revenue AS
WITH noted AS (
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
    HAVING n.amount <> coalesce(sum(p.amount), 0)
),
part AS (
    SELECT date_trunc('month', d.day::timestamp) AS month, i.billing_period, i.attribution_id, i.currency,
           l.workspace_class, d.amount, 0 AS credited
    FROM invoice_day AS d
    JOIN invoice AS i ON i.id = d.invoice_id
    JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
    UNION ALL
    SELECT month.known, i.billing_period, i.attribution_id, i.currency, l.workspace_class, 0, noted.amount
    FROM noted
    JOIN invoice AS i ON i.id = noted.invoice_id
    LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (noted.invoice_id, noted.line_no)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN min(date_trunc('month', d.day::timestamp)) = max(date_trunc('month', d.day::timestamp))
                    THEN min(date_trunc('month', d.day::timestamp))
               END AS known
        FROM invoice_day AS d
        WHERE d.invoice_id = noted.invoice_id AND d.line_no = coalesce(noted.line_no, d.line_no)
    ) AS month
    WHERE coalesce(i.resume_state, i.state) IN ('billed', 'paid', 'uncollectible')
    UNION ALL
    SELECT NULL, i.billing_period, i.attribution_id, i.currency, NULL, i.accepted_subtotal - i.amount, 0
    FROM invoice AS i
    WHERE i.accepted_subtotal <> i.amount
      AND coalesce(i.resume_state, i.state) IN ('billed', 'paid', 'uncollectible')
),
summed AS (
    SELECT month, billing_period, attribution_id, currency, nullif(workspace_class, '') AS workspace_class,
           sum(amount) AS amount, sum(credited) AS credited
    FROM part
    GROUP BY month, billing_period, attribution_id, currency, nullif(workspace_class, '')
)
SELECT to_char(s.month, 'YYYY-MM') AS usage_month, s.billing_period AS invoice_month, s.attribution_id AS account,
       a.name AS account_name, s.workspace_class, upper(s.currency) AS currency,
       major_units(s.amount, s.currency) AS amount,
       major_units(s.credited, s.currency) AS credited,
       major_units(s.amount - s.credited, s.currency) AS net
FROM summed AS s
JOIN account AS a USING (attribution_id)
"""

NOT_YET = """
ALTER TABLE decision
    DROP CONSTRAINT decision_kind,
    ADD CONSTRAINT decision_kind CHECK (kind IN (
        'approve', 'accept', 'rebuild', 'retry', 'void', 'write_off', 'credit', 'retry_credit', 'withdraw_credit',
        'approve_period', 'without_source', 'trigger', 'run_period', 'pause', 'resume', 'sync', 'audit', 'catch_up',
        'policy', 'accept_warning', 'withdraw_warning', 'not_yet'
    ))
"""

STATEMENTS = (NAMES, V_INVOICE, V_REVENUE, NOT_YET)
