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
)
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
