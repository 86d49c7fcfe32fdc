"""Facts and segments of instances, quantities, stored rate cards, accepted warnings, any account id.

No table is rewritten: `lifetime` is only dropped, so that statements of an older release, which know nothing of
segments, fail instead of billing.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = """
ALTER TABLE account
    DROP CONSTRAINT account_attribution_id_form,
    ADD CONSTRAINT account_attribution_id_form
        CHECK (attribution_id ~ '^[A-Za-z0-9][A-Za-z0-9._:@+=~-]{0,132}$');

ALTER TABLE account_policy ADD COLUMN limits_off text[] NOT NULL DEFAULT '{}';

ALTER TABLE account_outcome
    ADD COLUMN kind text,
    ADD COLUMN left_us bigint,
    ADD CONSTRAINT account_outcome_kind CHECK (kind IN ('unknown_class', 'refused'));

ALTER TABLE workspace_instance
    DROP COLUMN lifetime,
    ADD COLUMN quantity     numeric NOT NULL DEFAULT 1,
    ADD COLUMN last_sign    timestamptz,
    ADD COLUMN last_source  text COLLATE "C",
    ADD COLUMN seen_at      timestamptz,
    ADD COLUMN seen_by      text COLLATE "C",
    ADD COLUMN segmented    boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT workspace_instance_quantity CHECK (quantity > 0) NOT VALID;

CREATE TABLE usage_fact (
    instance_id  text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL,
    source       text COLLATE "C" NOT NULL,
    digest       uuid NOT NULL,
    kind         text NOT NULL,
    content      text NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    replaced_at  timestamptz,
    PRIMARY KEY (instance_id, at, source, digest),
    CONSTRAINT usage_fact_kind
        CHECK (kind IN ('row', 'started', 'changed', 'alive', 'stopping', 'stopped'))
);

CREATE TABLE segment (
    instance_id      text COLLATE "C" NOT NULL REFERENCES workspace_instance,
    during           tstzrange NOT NULL,
    attribution_id   text COLLATE "C",
    workspace_class  text COLLATE "C",
    quantity         numeric NOT NULL,
    started_time     timestamptz,
    ended_time       timestamptz,
    CONSTRAINT segment_quantity CHECK (quantity > 0),
    CONSTRAINT segment_during_form
        CHECK (isempty(during) OR NOT lower_inf(during) AND lower_inc(during) AND NOT upper_inc(during)),
    CONSTRAINT segment_faulty
        CHECK (isempty(during) = (ended_time IS NOT NULL) AND (ended_time < started_time) IS NOT FALSE),
    CONSTRAINT segment_never_two_at_once EXCLUDE USING gist (instance_id WITH =, during WITH &&)
);
CREATE INDEX segment_attribution_id ON segment (attribution_id);

CREATE TABLE instance_payer (
    attribution_id  text COLLATE "C" NOT NULL,
    instance_id     text COLLATE "C" NOT NULL,
    PRIMARY KEY (attribution_id, instance_id)
);

ALTER TABLE claim
    ADD COLUMN quantity numeric NOT NULL DEFAULT 1,
    ADD CONSTRAINT claim_quantity CHECK (quantity > 0) NOT VALID;
ALTER TABLE claim_history ADD COLUMN quantity numeric NOT NULL DEFAULT 1;
ALTER TABLE invoice_line ADD COLUMN quantity_us numeric;

CREATE TABLE rate_card (
    digest         text PRIMARY KEY,
    content        jsonb NOT NULL,
    first_used_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE worker_settings (
    queue             text PRIMARY KEY,
    rate_card_digest  text NOT NULL,
    settings          jsonb NOT NULL,
    published_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE accepted_warning (
    kind         text NOT NULL,
    subject      text COLLATE "C" NOT NULL,
    accepted_by  text NOT NULL,
    reason       text NOT NULL,
    accepted_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, subject)
);

CREATE VIEW instance_segment AS
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
       END AS during
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
       s.during
FROM segment AS s
JOIN workspace_instance AS w ON w.id = s.instance_id;

CREATE FUNCTION silent_from(
    during tstzrange, started_time timestamptz, last_sign timestamptz, last_source text, cutoff timestamptz,
    source text, source_stale_after interval, api_stale_after interval, stale_after interval, max_instance_age interval
) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN upper_inf(during) THEN least(
        CASE WHEN last_sign < cutoff - CASE
                 WHEN source IS NOT NULL THEN nullif(coalesce(source_stale_after, stale_after), interval '0')
                 WHEN last_source NOT IN ('', 'file') THEN api_stale_after
                 ELSE stale_after
             END
             THEN last_sign
        END,
        CASE WHEN greatest(started_time + max_instance_age, last_sign) < cutoff AND max_instance_age IS NOT NULL
             THEN greatest(started_time + max_instance_age, last_sign)
        END
    ) END
$$
"""


def upgrade() -> None:
    for statement in STATEMENTS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
