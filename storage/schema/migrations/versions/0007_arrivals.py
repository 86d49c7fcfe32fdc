"""Arrivals: sources with their cursors and faults, events that wait to be folded, API tokens."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE source (
    name              text COLLATE "C" PRIMARY KEY,
    kind              text NOT NULL,
    every             interval NOT NULL,
    lag               interval NOT NULL,
    stale_after       interval,
    snapshot_at       timestamptz,
    cursor            timestamptz,
    complete_up_to    timestamptz,
    read_at           timestamptz,
    rows_read         bigint NOT NULL DEFAULT 0,
    rows_new          bigint NOT NULL DEFAULT 0,
    rows_stale        bigint NOT NULL DEFAULT 0,
    rows_refused      bigint NOT NULL DEFAULT 0,
    error             text,
    failing_since     timestamptz,
    definition        text,
    registered_at     timestamptz NOT NULL DEFAULT now(),
    removed_at        timestamptz,
    CONSTRAINT source_kind CHECK (kind IN ('sql', 'files')),
    CONSTRAINT source_failing CHECK ((error IS NULL) = (failing_since IS NULL))
);

CREATE TABLE source_object (
    source        text COLLATE "C" NOT NULL REFERENCES source,
    path          text COLLATE "C" NOT NULL,
    etag          text COLLATE "C" NOT NULL,
    definition    text COLLATE "C" NOT NULL,
    rows_read     bigint NOT NULL,
    rows_refused  bigint NOT NULL,
    read_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, path, etag, definition)
);

CREATE TABLE source_fault (
    source         text COLLATE "C" NOT NULL,
    subject        text COLLATE "C" NOT NULL,
    field          text NOT NULL,
    reason         text NOT NULL,
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, subject)
);

CREATE TABLE pending_fact (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id  text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL,
    source       text COLLATE "C" NOT NULL,
    kind         text NOT NULL,
    content      text NOT NULL,
    digest       uuid NOT NULL,
    corrects     boolean NOT NULL DEFAULT false,
    received_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pending_fact_kind
        CHECK (kind IN ('row', 'started', 'changed', 'alive', 'stopping', 'stopped'))
);

CREATE TABLE received_event (
    source       text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    digest       uuid NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE INDEX received_event_received_at ON received_event (received_at);

CREATE TABLE api_token (
    name        text COLLATE "C" PRIMARY KEY,
    hash        bytea NOT NULL UNIQUE,
    scope       text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    CONSTRAINT api_token_scope CHECK (scope IN ('ingest', 'operate'))
);

CREATE FUNCTION lock_accounts(ids text[]) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    SELECT FROM account WHERE attribution_id = ANY (ids) ORDER BY attribution_id FOR UPDATE
$$;

REVOKE ALL ON FUNCTION lock_accounts FROM PUBLIC;

CREATE FUNCTION drop_earlier_signs(ids text[]) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    DELETE FROM usage_fact AS sign
    USING usage_fact AS later
    WHERE sign.instance_id = ANY (ids) AND sign.kind = 'alive'
      AND (later.instance_id, later.source, later.kind) = (sign.instance_id, sign.source, 'alive')
      AND later.at > sign.at AND later.replaced_at IS NULL
$$;

REVOKE ALL ON FUNCTION drop_earlier_signs FROM PUBLIC
"""


# Both run as the owner. Unless pg_temp is named, PostgreSQL looks there first: a caller's temporary view would stand
# for our table, and run the caller's functions as the owner.
OWN_TABLES_ALONE = """
DO $$
DECLARE
    each_function text;
BEGIN
    FOREACH each_function IN ARRAY ARRAY['lock_accounts', 'drop_earlier_signs'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path TO %I, pg_temp', each_function, current_schema());
    END LOOP;
END
$$
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(OWN_TABLES_ALONE)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
