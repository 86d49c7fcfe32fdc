"""The cursor of Stripe's events, and disputes."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE stripe_event_cursor (
    name           text PRIMARY KEY,
    event_id       text NOT NULL,
    event_created  timestamptz NOT NULL,
    adopted_until  timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dispute (
    stripe_dispute_id  text PRIMARY KEY,
    invoice_id         bigint NOT NULL REFERENCES invoice,
    amount             bigint NOT NULL,
    currency           text NOT NULL,
    reason             text NOT NULL,
    status             text NOT NULL,
    opened_at          timestamptz NOT NULL,
    closed_at          timestamptz,
    updated_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dispute_invoice_id ON dispute (invoice_id);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
