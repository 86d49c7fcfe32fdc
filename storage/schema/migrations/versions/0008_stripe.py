"""Kinds and currencies of windows, cycles, paused collection, refunds, steps of currencies, customers."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE account
    ADD COLUMN name     text,
    ADD COLUMN email    text,
    ADD COLUMN address  jsonb,
    ADD COLUMN tax_id   text,
    ADD COLUMN unsent   text[] NOT NULL DEFAULT '{}',
    ADD COLUMN email_in_stripe    boolean,
    ADD COLUMN address_in_stripe  boolean,
    ADD COLUMN stripe_seen_at     timestamptz,
    ADD CONSTRAINT account_unsent CHECK (unsent <@ ARRAY['name', 'email', 'address', 'tax_id']);

ALTER TABLE account_outcome
    DROP CONSTRAINT account_outcome_kind,
    ADD CONSTRAINT account_outcome_kind CHECK (kind IN ('unknown_class', 'refused', 'customer'));

ALTER TABLE subscription
    ADD COLUMN kind      text NOT NULL DEFAULT 'paid',
    ADD COLUMN currency  text,
    ADD CONSTRAINT subscription_kind CHECK (kind IN ('paid', 'trial', 'collection_paused')),
    ADD CONSTRAINT subscription_currency_form CHECK (currency ~ '^[a-z]{3}$');
UPDATE subscription AS s
SET currency = a.currency
FROM account AS a
WHERE a.attribution_id = s.attribution_id;
ALTER TABLE subscription ALTER COLUMN currency SET NOT NULL;

ALTER TABLE account_policy
    ADD COLUMN trial_usage   text,
    ADD COLUMN paused_usage  text,
    ADD CONSTRAINT account_policy_usage
        CHECK (trial_usage IN ('exclude', 'charge') AND paused_usage IN ('exclude', 'charge'));

CREATE VIEW account_window AS
SELECT s.attribution_id, s.stripe_subscription_id, s.during, s.currency, s.kind,
       CASE s.kind
           WHEN 'paid' THEN true
           WHEN 'trial' THEN p.trial_usage = 'charge'
           WHEN 'collection_paused' THEN p.paused_usage = 'charge'
       END AS charged
FROM subscription AS s
LEFT JOIN account_policy AS p USING (attribution_id);

CREATE TABLE subscription_cycle (
    stripe_subscription_id  text COLLATE "C" NOT NULL,
    attribution_id          text COLLATE "C" NOT NULL REFERENCES account,
    during                  tstzrange NOT NULL,
    seen_at                 timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscription_cycle_never_two_at_once
        EXCLUDE USING gist (stripe_subscription_id WITH =, during WITH &&),
    CONSTRAINT subscription_cycle_during_form CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during)
    )
);
CREATE INDEX subscription_cycle_attribution_id ON subscription_cycle (attribution_id);

CREATE TABLE collection_pause (
    stripe_subscription_id  text COLLATE "C" NOT NULL,
    attribution_id          text COLLATE "C" NOT NULL REFERENCES account,
    behavior                text,
    since                   timestamptz NOT NULL,
    resumes_at              timestamptz,
    ended                   timestamptz,
    PRIMARY KEY (stripe_subscription_id, since),
    CONSTRAINT collection_pause_behavior CHECK (behavior IN ('keep_as_draft', 'mark_uncollectible', 'void'))
);
CREATE INDEX collection_pause_attribution_id ON collection_pause (attribution_id);

ALTER TABLE account_outcome
    DROP CONSTRAINT account_outcome_pkey,
    ADD PRIMARY KEY (billing_period, attribution_id, currency);

ALTER TABLE invoice
    ADD COLUMN service_start    timestamptz,
    ADD COLUMN collection_stopped_at timestamptz,
    ADD COLUMN stripe_total     bigint,
    ADD COLUMN stripe_discount  bigint,
    ADD COLUMN stripe_tax       bigint,
    ADD CONSTRAINT invoice_stripe_total
        CHECK (num_nulls(stripe_total, stripe_discount, stripe_tax) IN (0, 3)),
    DROP CONSTRAINT invoice_blocked_kind,
    ADD CONSTRAINT invoice_blocked_kind
        CHECK (blocked_kind IN ('error', 'limit', 'edited', 'currency', 'held_in_stripe', 'collection_paused'));

ALTER TABLE invoice_line ADD COLUMN step integer NOT NULL DEFAULT 1;

CREATE TABLE refund (
    stripe_refund_id       text COLLATE "C" PRIMARY KEY,
    invoice_id             bigint NOT NULL REFERENCES invoice,
    stripe_credit_note_id  text,
    amount                 bigint NOT NULL,
    currency               text NOT NULL,
    status                 text NOT NULL,
    reason                 text NOT NULL,
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refund_amount_positive CHECK (amount > 0)
);
CREATE INDEX refund_invoice_id ON refund (invoice_id)
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
