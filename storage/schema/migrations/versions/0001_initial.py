"""The initial schema.

Text that pages are keyed by has the collation "C", so that its order is the same on every server.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE account (
    attribution_id      text COLLATE "C" PRIMARY KEY,
    stripe_customer_id  text UNIQUE,
    currency            text NOT NULL,
    bill_after          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_attribution_id_form
        CHECK (attribution_id ~ '^(team|user):[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}$'),
    CONSTRAINT account_currency_form CHECK (currency ~ '^[a-z]{3}$')
);

CREATE TABLE subscription (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attribution_id          text COLLATE "C" NOT NULL REFERENCES account,
    stripe_subscription_id  text UNIQUE,
    during                  tstzrange NOT NULL,
    CONSTRAINT subscription_during_form CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND lower_inc(during) AND NOT upper_inc(during)
    ),
    CONSTRAINT subscription_never_two_at_once EXCLUDE USING gist (attribution_id WITH =, during WITH &&)
);
CREATE INDEX subscription_attribution_id ON subscription (attribution_id);

CREATE TABLE workspace_instance (
    id              text COLLATE "C" PRIMARY KEY,
    attribution_id  text COLLATE "C",
    workspace_id    text,
    project_id      text,
    owner_id        text,
    workspace_class text COLLATE "C",
    workspace_type  text,
    creation_time   timestamptz,
    started_time    timestamptz,
    stopping_time   timestamptz,
    stopped_time    timestamptz,
    lifetime        tstzrange GENERATED ALWAYS AS (
        CASE WHEN creation_time IS NOT NULL AND started_time IS NOT NULL
                  AND started_time <= coalesce(stopping_time, stopped_time, started_time)
             THEN tstzrange(started_time, coalesce(stopping_time, stopped_time))
        END
    ) STORED
);
CREATE INDEX workspace_instance_attribution_id ON workspace_instance (attribution_id);

CREATE TABLE invoice (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key                 text COLLATE "C" NOT NULL UNIQUE,
    attribution_id      text COLLATE "C" NOT NULL REFERENCES account,
    billing_period      text COLLATE "C" NOT NULL,
    reason              text NOT NULL,
    subject             text NOT NULL DEFAULT '',
    ordinal             integer NOT NULL DEFAULT 1,
    generation          integer NOT NULL DEFAULT 1,
    state               text NOT NULL,
    blocked_reason      text,
    blocked_since       timestamptz,
    resume_state        text,
    cutoff              timestamptz NOT NULL,
    currency            text NOT NULL,
    amount              bigint NOT NULL,
    credits             numeric NOT NULL,
    rate_card_digest    text NOT NULL,
    stripe_customer_id  text,
    report_id           text,
    stripe_invoice_id   text UNIQUE,
    claimed_at          timestamptz NOT NULL DEFAULT now(),
    drafted_at          timestamptz,
    finalized_at        timestamptz,
    billed_at           timestamptz,
    paid_at             timestamptz,
    uncollectible_at    timestamptz,
    voided_at           timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invoice_state_known CHECK (state IN (
        'claimed', 'draft', 'finalized', 'billed', 'paid', 'voided', 'deleted', 'uncollectible', 'blocked'
    )),
    CONSTRAINT invoice_blocked_says_why CHECK (
        (state = 'blocked') = (blocked_reason IS NOT NULL)
        AND (state = 'blocked') = (blocked_since IS NOT NULL)
        AND (state = 'blocked') = (resume_state IS NOT NULL)
    )
);
CREATE UNIQUE INDEX invoice_one_live ON invoice (billing_period, attribution_id, reason, subject)
    WHERE state NOT IN ('voided', 'deleted');
CREATE INDEX invoice_attribution_id ON invoice (attribution_id);
CREATE INDEX invoice_billing_period ON invoice (billing_period, attribution_id);

CREATE TABLE invoice_line (
    invoice_id          bigint NOT NULL REFERENCES invoice,
    line_no             smallint NOT NULL,
    workspace_class     text COLLATE "C" NOT NULL,
    rate_from           timestamptz NOT NULL,
    credits_per_minute  numeric NOT NULL,
    rated_as_default    boolean NOT NULL,
    price_per_credit    numeric NOT NULL,
    duration_us         bigint NOT NULL,
    carried_us          bigint NOT NULL,
    credits             numeric NOT NULL,
    amount              bigint NOT NULL,
    PRIMARY KEY (invoice_id, line_no)
);

CREATE TABLE claim (
    invoice_id   bigint NOT NULL,
    line_no      smallint NOT NULL,
    instance_id  text COLLATE "C" NOT NULL,
    during       tstzrange NOT NULL,
    CONSTRAINT claim_during_form CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during)
    ),
    CONSTRAINT claim_never_twice EXCLUDE USING gist (instance_id WITH =, during WITH &&)
);
CREATE INDEX claim_invoice_id ON claim (invoice_id);

CREATE TABLE claim_history (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id   bigint NOT NULL REFERENCES invoice,
    line_no      smallint NOT NULL,
    instance_id  text COLLATE "C" NOT NULL,
    during       tstzrange NOT NULL,
    released_at  timestamptz NOT NULL DEFAULT now(),
    reason       text NOT NULL
);
CREATE INDEX claim_history_invoice_id ON claim_history (invoice_id);
CREATE INDEX claim_history_instance_id ON claim_history (instance_id);

CREATE TABLE account_outcome (
    billing_period  text COLLATE "C" NOT NULL,
    attribution_id  text COLLATE "C" NOT NULL REFERENCES account,
    outcome         text NOT NULL,
    reason          text NOT NULL,
    amount          bigint NOT NULL,
    currency        text NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (billing_period, attribution_id),
    CONSTRAINT account_outcome_known CHECK (outcome IN ('below_minimum', 'blocked'))
);

CREATE TABLE period_summary (
    billing_period  text COLLATE "C" PRIMARY KEY,
    summary         jsonb NOT NULL,
    settled_at      timestamptz NOT NULL DEFAULT now()
);
"""

# A foreign key would check each claim's line separately, a third of the whole cost of claiming. This trigger checks the
# lines of all claims of a statement together.
CLAIM_HAS_LINE = """
CREATE FUNCTION claim_has_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT invoice_id, line_no FROM added) AS a
        WHERE NOT EXISTS (
            SELECT FROM invoice_line AS l WHERE l.invoice_id = a.invoice_id AND l.line_no = a.line_no
        )
    ) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a claim must belong to an invoice line';
    END IF;
    RETURN NULL;
END $$
"""

CLAIM_HAS_LINE_TRIGGER = """
CREATE TRIGGER claim_has_line AFTER INSERT ON claim
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION claim_has_line()
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(CLAIM_HAS_LINE)
    op.execute(CLAIM_HAS_LINE_TRIGGER)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
