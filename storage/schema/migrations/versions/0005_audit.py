"""Audits: their runs, checks and findings, and Stripe's lists during a run."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE audit_run (
    id              text COLLATE "C" PRIMARY KEY,
    billing_period  text COLLATE "C",
    attribution_id  text COLLATE "C",
    stuck_after     interval NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz
);

CREATE TABLE audit_check (
    audit_id       text COLLATE "C" NOT NULL REFERENCES audit_run ON DELETE CASCADE,
    name           text NOT NULL,
    figures        jsonb NOT NULL,
    discrepancies  bigint NOT NULL,
    checked_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (audit_id, name)
);

CREATE TABLE audit_finding (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audit_id        text COLLATE "C" NOT NULL REFERENCES audit_run ON DELETE CASCADE,
    check_name      text NOT NULL,
    kind            text NOT NULL,
    attribution_id  text COLLATE "C",
    instance_id     text COLLATE "C",
    invoice_key     text COLLATE "C",
    stripe_id       text,
    report_id       text,
    detail          text NOT NULL
);
CREATE INDEX audit_finding_audit_id ON audit_finding (audit_id, check_name);

CREATE TABLE audit_stripe_invoice (
    audit_id            text COLLATE "C" NOT NULL REFERENCES audit_run ON DELETE CASCADE,
    stripe_invoice_id   text COLLATE "C" NOT NULL,
    invoice_key         text COLLATE "C" NOT NULL,
    status              text NOT NULL,
    stripe_customer_id  text,
    suspect             boolean NOT NULL DEFAULT false,
    PRIMARY KEY (audit_id, stripe_invoice_id)
);

CREATE TABLE audit_stripe_credit_note (
    audit_id               text COLLATE "C" NOT NULL REFERENCES audit_run ON DELETE CASCADE,
    stripe_credit_note_id  text COLLATE "C" NOT NULL,
    stripe_invoice_id      text COLLATE "C" NOT NULL,
    credit_note_key        text COLLATE "C",
    amount                 bigint NOT NULL,
    voided                 boolean NOT NULL,
    PRIMARY KEY (audit_id, stripe_credit_note_id)
);
CREATE INDEX audit_stripe_credit_note_invoice ON audit_stripe_credit_note (audit_id, stripe_invoice_id);
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE audit_stripe_credit_note, audit_stripe_invoice, audit_finding, audit_check, audit_run")
