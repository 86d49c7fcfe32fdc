"""Corrections of invoices: what was cut from their claims, and what is charged on the account's next invoice."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE correction (
        id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key               text COLLATE "C" NOT NULL UNIQUE,
        invoice_id        bigint NOT NULL REFERENCES invoice (id),
        ordinal           integer NOT NULL,
        rate_card_digest  text NOT NULL,
        repriced          boolean NOT NULL,
        amount            bigint NOT NULL,
        net               bigint NOT NULL,
        currency          text NOT NULL,
        reason            text NOT NULL,
        recorded_at       timestamptz NOT NULL DEFAULT now(),
        UNIQUE (invoice_id, ordinal)
    )
    """,
    """
    CREATE TABLE correction_line (
        correction_id       bigint NOT NULL REFERENCES correction (id),
        line_no             smallint NOT NULL,
        kind                text NOT NULL,
        workspace_class     text COLLATE "C" NOT NULL,
        rate_from           timestamptz NOT NULL,
        credits_per_minute  numeric NOT NULL,
        rated_as_default    boolean NOT NULL,
        price_per_credit    numeric NOT NULL,
        duration_us         bigint NOT NULL,
        quantity_us         numeric,
        credits             numeric NOT NULL,
        amount              bigint NOT NULL,
        step                integer NOT NULL DEFAULT 1,
        tiers               jsonb,
        PRIMARY KEY (correction_id, line_no),
        CONSTRAINT correction_line_kind CHECK (kind IN ('usage', 'tiers')),
        CONSTRAINT correction_line_tiers CHECK ((kind = 'tiers') = (tiers IS NOT NULL))
    )
    """,
    """
    CREATE TABLE adjustment (
        id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        correction_id   bigint NOT NULL UNIQUE REFERENCES correction (id),
        attribution_id  text COLLATE "C" NOT NULL REFERENCES account (attribution_id),
        currency        text NOT NULL,
        amount          bigint NOT NULL CONSTRAINT adjustment_amount_positive CHECK (amount > 0),
        state           text NOT NULL,
        invoice_id      bigint REFERENCES invoice (id),
        recorded_at     timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT adjustment_state CHECK (state IN ('waiting', 'charged', 'withdrawn')),
        CONSTRAINT adjustment_charged CHECK ((state = 'charged') = (invoice_id IS NOT NULL))
    )
    """,
    "CREATE INDEX adjustment_waiting ON adjustment (attribution_id, currency) WHERE state = 'waiting'",
    "CREATE INDEX adjustment_invoice_id ON adjustment (invoice_id)",
    """
    ALTER TABLE claim
        ADD COLUMN billed_during tstzrange,
        ADD COLUMN corrected_class text COLLATE "C",
        ADD COLUMN corrected_quantity numeric,
        ADD CONSTRAINT claim_billed_during CHECK (during <@ coalesce(billed_during, during)),
        ADD CONSTRAINT claim_corrected_quantity CHECK (corrected_quantity > 0)
    """,
    """
    ALTER TABLE claim_history
        ADD COLUMN billed_during tstzrange,
        ADD COLUMN correction_id bigint REFERENCES correction (id),
        ADD CONSTRAINT claim_history_corrected CHECK ((reason = 'corrected') = (correction_id IS NOT NULL))
    """,
    """
    ALTER TABLE invoice_line
        ADD COLUMN correction_key text COLLATE "C",
        DROP CONSTRAINT invoice_line_kind,
        ADD CONSTRAINT invoice_line_kind CHECK (kind IN ('usage', 'tiers', 'adjustment')),
        ADD CONSTRAINT invoice_line_adjustment CHECK ((kind = 'adjustment') = (correction_key IS NOT NULL))
    """,
    "ALTER TABLE credit_note ADD COLUMN total bigint",
    "ALTER TABLE audit_stripe_credit_note ADD COLUMN total bigint",
    "ALTER TABLE credit_note DROP CONSTRAINT credit_note_kind_names_its_target",
    """
    ALTER TABLE credit_note
        ADD COLUMN correction_id bigint REFERENCES correction (id),
        ADD CONSTRAINT credit_note_kind_names_its_target CHECK (
            kind IN ('amount', 'line', 'instance', 'correction')
            AND (kind = 'line') = (line_no IS NOT NULL)
            AND (kind = 'instance') = (instance_id IS NOT NULL)
            AND (kind = 'correction') = (correction_id IS NOT NULL)
        )
    """,
    "CREATE INDEX credit_note_correction_id ON credit_note (correction_id)",
    """
    ALTER TABLE decision
        DROP CONSTRAINT decision_kind,
        ADD CONSTRAINT decision_kind CHECK (kind IN (
            'approve', 'accept', 'rebuild', 'retry', 'void', 'write_off', 'credit', 'retry_credit', 'withdraw_credit',
            'approve_period', 'without_source', 'trigger', 'run_period', 'pause', 'resume', 'sync', 'audit', 'catch_up',
            'policy', 'accept_warning', 'withdraw_warning', 'not_yet', 'correct'
        ))
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
