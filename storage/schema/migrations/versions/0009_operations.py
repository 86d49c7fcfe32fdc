"""Details of customers by the API; customers of other accounts; how far Stripe delivers its events;
who decided what; usage of settled invoices by day.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE account ADD COLUMN customer_of_another text;
CREATE INDEX account_outcome_customer ON account_outcome (attribution_id) WHERE kind = 'customer';
CREATE INDEX invoice_amount ON invoice (currency, amount, id);
CREATE INDEX invoice_open ON invoice (billing_period) WHERE state IN ('claimed', 'draft', 'finalized', 'blocked');
CREATE INDEX invoice_unpaid ON invoice (currency, amount) WHERE state = 'billed';
CREATE INDEX invoice_not_collected ON invoice (collection_stopped_at) WHERE collection_stopped_at IS NOT NULL;
CREATE INDEX invoice_void_requested ON invoice (void_requested_at) WHERE void_requested_at IS NOT NULL;
ALTER TABLE account ADD COLUMN details_at jsonb NOT NULL DEFAULT '{}';

ALTER TABLE api_token
    DROP CONSTRAINT api_token_scope,
    ADD CONSTRAINT api_token_scope CHECK (scope IN ('ingest', 'operate', 'accounts', 'view', 'act'));

CREATE TABLE pending_details (
    position        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attribution_id  text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL,
    source          text COLLATE "C" NOT NULL,
    content         jsonb NOT NULL,
    waits           boolean NOT NULL DEFAULT false,
    received_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pending_details_to_store ON pending_details (position) WHERE NOT waits;

CREATE TABLE details_to_send (
    attribution_id  text COLLATE "C" PRIMARY KEY REFERENCES account,
    source          text COLLATE "C" NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    refused         boolean NOT NULL DEFAULT false,
    tried_at        timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE stripe_event_cursor
    ADD COLUMN undelivered bigint NOT NULL DEFAULT 0,
    ADD COLUMN undelivered_at timestamptz,
    ADD COLUMN delivered_at timestamptz;

CREATE TABLE invoice_day (
    invoice_id   bigint NOT NULL,
    line_no      smallint NOT NULL,
    day          date NOT NULL,
    duration_us  bigint NOT NULL,
    quantity_us  numeric NOT NULL,
    credits      numeric NOT NULL,
    amount       bigint NOT NULL,
    PRIMARY KEY (invoice_id, line_no, day)
);

CREATE TABLE period_day (
    billing_period   text COLLATE "C" NOT NULL,
    currency         text NOT NULL,
    workspace_class  text COLLATE "C" NOT NULL,
    day              date NOT NULL,
    invoice_days     bigint NOT NULL,
    duration_us      bigint NOT NULL,
    quantity_us      numeric NOT NULL,
    credits          numeric NOT NULL,
    amount           bigint NOT NULL,
    PRIMARY KEY (billing_period, currency, workspace_class, day)
);

CREATE TABLE period_day_pending (
    invoice_id  bigint PRIMARY KEY
);

CREATE TABLE decision (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    decided_by  text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    decided_at  timestamptz NOT NULL DEFAULT now(),
    origin      text NOT NULL DEFAULT 'command line',
    address     text,
    request     text,
    CONSTRAINT decision_kind CHECK (kind IN (
        'approve', 'accept', 'rebuild', 'retry', 'void', 'write_off', 'credit', 'retry_credit', 'withdraw_credit',
        'approve_period', 'without_source', 'trigger', 'run_period', 'pause', 'resume', 'sync', 'audit', 'catch_up',
        'policy', 'accept_warning', 'withdraw_warning'
    )),
    CONSTRAINT decision_request UNIQUE (request, kind, subject)
);
CREATE INDEX decision_subject ON decision (subject, id);

ALTER TABLE invoice ADD COLUMN stripe_number text;
CREATE INDEX invoice_stripe_number ON invoice (stripe_number) WHERE stripe_number IS NOT NULL;
CREATE INDEX invoice_replaces_stripe_invoice ON invoice (replaces_stripe_invoice_id)
    WHERE replaces_stripe_invoice_id IS NOT NULL;

CREATE TABLE hosted_invoice (
    invoice_id  bigint PRIMARY KEY REFERENCES invoice,
    url         text NOT NULL,
    CONSTRAINT hosted_invoice_url CHECK (url ~ '^https://[^[:space:]]+$')
);

CREATE OR REPLACE VIEW instance_segment AS
SELECT w.id AS instance_id, w.attribution_id, w.workspace_class, w.quantity, w.creation_time, w.started_time,
       least(w.stopping_time, w.stopped_time) AS ended_time, greatest(w.last_sign, w.seen_at) AS last_sign,
       CASE WHEN w.seen_at < w.last_sign OR w.seen_at IS NULL THEN w.last_source ELSE w.seen_by END AS last_source,
       w.segmented,
       CASE WHEN w.started_time IS NULL THEN 'no_started_time'
            WHEN w.creation_time IS NULL THEN 'no_creation_time'
            WHEN least(w.stopping_time, w.stopped_time) < w.started_time THEN 'ends_before_start'
            WHEN w.started_time < w.creation_time - interval '1 day' THEN 'starts_before_creation'
       END AS fault,
       CASE WHEN w.started_time <= coalesce(least(w.stopping_time, w.stopped_time), w.started_time)
            THEN tstzrange(w.started_time, least(w.stopping_time, w.stopped_time))
            ELSE 'empty'
       END AS during,
       w.workspace_id COLLATE "C" AS workspace_id
FROM workspace_instance AS w
WHERE NOT w.segmented
UNION ALL
SELECT s.instance_id, s.attribution_id, s.workspace_class, s.quantity,
       CASE WHEN s.ended_time IS NULL THEN w.creation_time END,
       CASE WHEN s.ended_time IS NULL THEN w.started_time ELSE s.started_time END,
       coalesce(s.ended_time, least(w.stopping_time, w.stopped_time)), greatest(w.last_sign, w.seen_at),
       CASE WHEN w.seen_at < w.last_sign OR w.seen_at IS NULL THEN w.last_source ELSE w.seen_by END,
       w.segmented,
       CASE WHEN s.ended_time < s.started_time THEN 'ends_before_start'
            WHEN s.ended_time IS NOT NULL THEN 'no_started_time'
            WHEN w.started_time < w.creation_time - interval '1 day' AND lower(s.during) >= w.started_time
            THEN 'starts_before_creation'
       END,
       s.during, w.workspace_id COLLATE "C"
FROM segment AS s
JOIN workspace_instance AS w ON w.id = s.instance_id;

CREATE VIEW instance_place AS
SELECT w.ctid AS place, w.attribution_id, w.workspace_class, w.quantity, w.started_time,
       least(w.stopping_time, w.stopped_time) AS ended_time
FROM workspace_instance AS w;

CREATE FUNCTION currency_decimals(currency text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN currency IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv',
                                  'xaf', 'xof', 'xpf') THEN 0
                WHEN currency IN ('bhd', 'jod', 'kwd', 'omr', 'tnd') THEN 3
                ELSE 2
           END
$$;

CREATE FUNCTION major_units(minor numeric, currency text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(minor / (ARRAY[1, 10, 100, 1000])[currency_decimals(currency) + 1], currency_decimals(currency))
$$;

CREATE VIEW v_invoice AS
SELECT i.key AS invoice_key, i.attribution_id AS account, a.name AS account_name, i.billing_period AS period, i.reason,
       i.state, coalesce(i.resume_state, i.state) IN ('billed', 'paid', 'uncollectible') AS settled,
       upper(i.currency) AS currency, major_units(i.amount, i.currency) AS amount,
       major_units(coalesce(n.credited, 0), i.currency) AS credited,
       major_units(CASE WHEN i.state IN ('voided', 'deleted') THEN 0 ELSE i.amount - coalesce(n.credited, 0) END,
                   i.currency) AS net,
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
) AS n ON true;

CREATE VIEW v_invoice_line AS
SELECT i.key AS invoice_key, i.attribution_id AS account, a.name AS account_name, i.billing_period AS period, i.state,
       l.line_no AS line, l.kind, nullif(l.workspace_class, '') AS workspace_class, l.rate_from,
       round(l.duration_us / 60000000::numeric, 8) AS minutes,
       round(coalesce(l.quantity_us, l.duration_us) / 60000000::numeric, 8) AS metered_minutes,
       l.credits_per_minute, l.credits, l.price_per_credit, upper(i.currency) AS currency,
       major_units(l.amount, i.currency) AS amount
FROM invoice AS i
JOIN account AS a USING (attribution_id)
JOIN invoice_line AS l ON l.invoice_id = i.id;

CREATE VIEW v_usage_daily AS
SELECT d.day, i.attribution_id AS account, a.name AS account_name, i.key AS invoice_key, i.billing_period AS period,
       d.line_no AS line, nullif(l.workspace_class, '') AS workspace_class,
       round(d.duration_us / 60000000::numeric, 8) AS minutes,
       round(d.quantity_us / 60000000::numeric, 8) AS metered_minutes, d.credits,
       upper(i.currency) AS currency, major_units(d.amount, i.currency) AS amount
FROM invoice_day AS d
JOIN invoice AS i ON i.id = d.invoice_id
JOIN account AS a USING (attribution_id)
JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no);

CREATE VIEW v_revenue AS
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


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
