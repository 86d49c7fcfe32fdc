"""Credit notes, and their shares by line."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE credit_note (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key                    text COLLATE "C" NOT NULL UNIQUE,
    invoice_id             bigint NOT NULL REFERENCES invoice,
    kind                   text NOT NULL,
    line_no                smallint,
    instance_id            text COLLATE "C",
    amount                 bigint NOT NULL,
    currency               text NOT NULL,
    settle_to              text NOT NULL,
    reason                 text NOT NULL,
    state                  text NOT NULL,
    blocked_reason         text,
    stripe_credit_note_id  text UNIQUE,
    generation             integer NOT NULL DEFAULT 1,
    requested_at           timestamptz NOT NULL DEFAULT now(),
    issued_at              timestamptz,
    voided_at              timestamptz,
    CONSTRAINT credit_note_amount_positive CHECK (amount > 0),
    CONSTRAINT credit_note_kind_names_its_target CHECK (
        kind IN ('amount', 'line', 'instance')
        AND (kind = 'line') = (line_no IS NOT NULL)
        AND (kind = 'instance') = (instance_id IS NOT NULL)
    ),
    CONSTRAINT credit_note_settle_to_known CHECK (settle_to IN ('balance', 'refund', 'out-of-band')),
    CONSTRAINT credit_note_state_known CHECK (state IN ('requested', 'issued', 'voided', 'blocked')),
    CONSTRAINT credit_note_blocked_says_why CHECK ((state = 'blocked') = (blocked_reason IS NOT NULL)),
    CONSTRAINT credit_note_issued_in_stripe CHECK (state <> 'issued' OR stripe_credit_note_id IS NOT NULL)
);
CREATE INDEX credit_note_invoice_id ON credit_note (invoice_id);

CREATE TABLE credit_note_line (
    credit_note_id  bigint NOT NULL REFERENCES credit_note,
    line_no         smallint NOT NULL,
    amount          bigint NOT NULL,
    PRIMARY KEY (credit_note_id, line_no),
    CONSTRAINT credit_note_line_amount_positive CHECK (amount > 0)
);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was credited: restore a backup instead")
