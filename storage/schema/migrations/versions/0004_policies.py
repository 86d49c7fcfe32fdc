"""Account policies, limits, approvals, edited drafts, write-offs, paused subscriptions, graduated prices."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE account_policy (
    attribution_id       text COLLATE "C" PRIMARY KEY REFERENCES account,
    charge_on            text,
    finalization         text,
    limit_amount         bigint,
    limit_multiple       numeric,
    limit_carried_share  numeric,
    included_credits     numeric,
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_policy_charge_on CHECK (charge_on IN ('own', 'subscription')),
    CONSTRAINT account_policy_finalization CHECK (finalization IN ('at_once', 'grace', 'approval')),
    CONSTRAINT account_policy_limits
        CHECK (limit_amount >= 0 AND limit_multiple > 0 AND limit_carried_share >= 0 AND included_credits >= 0)
);

ALTER TABLE subscription ADD COLUMN part smallint NOT NULL DEFAULT 1;
ALTER TABLE subscription DROP CONSTRAINT subscription_stripe_subscription_id_key;
ALTER TABLE subscription ADD CONSTRAINT subscription_parts UNIQUE (stripe_subscription_id, part);

CREATE TABLE subscription_fault (
    stripe_subscription_id  text PRIMARY KEY,
    attribution_id          text COLLATE "C",
    reason                  text NOT NULL,
    since                   timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE invoice
    ADD COLUMN charge_on                   text NOT NULL DEFAULT 'own',
    ADD COLUMN finalization                text NOT NULL DEFAULT 'at_once',
    ADD COLUMN finalize_at                 timestamptz,
    ADD COLUMN revision                    integer NOT NULL DEFAULT 1,
    ADD COLUMN blocked_kind                text,
    ADD COLUMN approved_amount             bigint,
    ADD COLUMN approved_at                 timestamptz,
    ADD COLUMN approved_by                 text,
    ADD COLUMN found_subtotal              bigint,
    ADD COLUMN found_digest                text,
    ADD COLUMN accepted_subtotal           bigint,
    ADD COLUMN accepted_digest             text,
    ADD COLUMN replaces_stripe_invoice_id  text,
    ADD COLUMN void_requested_at           timestamptz,
    ADD COLUMN void_requested_by           text,
    ADD COLUMN void_reason                 text,
    ADD COLUMN written_off                 boolean NOT NULL DEFAULT false,
    ADD COLUMN payment_attempts            integer NOT NULL DEFAULT 0,
    ADD COLUMN payment_failed_at           timestamptz,
    ADD CONSTRAINT invoice_charge_on CHECK (charge_on IN ('own', 'subscription')),
    ADD CONSTRAINT invoice_finalization CHECK (finalization IN ('at_once', 'grace', 'approval')),
    ADD CONSTRAINT invoice_blocked_kind CHECK (blocked_kind IN ('error', 'limit', 'edited')),
    ADD CONSTRAINT invoice_approval CHECK ((approved_amount IS NULL) = (approved_at IS NULL)),
    ADD CONSTRAINT invoice_accepted CHECK ((accepted_subtotal IS NULL) = (accepted_digest IS NULL));

UPDATE invoice SET blocked_kind = 'error' WHERE state = 'blocked';

ALTER TABLE invoice_line
    ADD COLUMN kind   text NOT NULL DEFAULT 'usage',
    ADD COLUMN tiers  jsonb,
    ADD CONSTRAINT invoice_line_kind CHECK (kind IN ('usage', 'tiers')),
    ADD CONSTRAINT invoice_line_tiers CHECK ((kind = 'tiers') = (tiers IS NOT NULL));

CREATE TABLE invoice_month (
    invoice_id  bigint NOT NULL REFERENCES invoice,
    month       text COLLATE "C" NOT NULL,
    position    numeric NOT NULL,
    credits     numeric NOT NULL,
    PRIMARY KEY (invoice_id, month, position)
);

CREATE TABLE period_hold (
    billing_period  text COLLATE "C" PRIMARY KEY,
    reason          text,
    since           timestamptz,
    totals          jsonb NOT NULL,
    approved        jsonb,
    approved_at     timestamptz,
    approved_by     text
);
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
