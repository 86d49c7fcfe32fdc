"""Claims are kept apart by a fast key of the instance; until when the usage of accounts is claimed."""

from alembic import op

from storage.postgres import indexes
from storage.schema.migrations import reports_0010

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Claims that exist keep their constraint until `storage/rekeying/` has brought them along: building the new one would
# keep everybody out of the table.
CLAIM_NEVER_TWICE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM claim) THEN
        ALTER TABLE claim
            DROP CONSTRAINT claim_never_twice,
            ADD CONSTRAINT claim_never_twice EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&);
        DROP INDEX IF EXISTS claim_instance_key;
    END IF;
END
$$
"""

# Accounts begin without a mark: their next claim reads all their usage once more, and marks it.
MARKS = """
ALTER TABLE account
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN claimed_windows tstzmultirange,
    ADD CONSTRAINT account_claimed CHECK ((claimed_until IS NULL) = (claimed_windows IS NULL));

CREATE TABLE reopened_usage (
    attribution_id  text COLLATE "C" NOT NULL,
    since           timestamptz NOT NULL
);
CREATE INDEX reopened_usage_account ON reopened_usage (attribution_id, since);

DROP INDEX workspace_instance_attribution_id;
DROP INDEX segment_attribution_id;

CREATE OR REPLACE VIEW instance_segment AS
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
       END AS during,
       w.workspace_id COLLATE "C" AS workspace_id,
       coalesce(least(w.stopping_time, w.stopped_time), 'infinity'::timestamptz) AS until
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
       s.during, w.workspace_id COLLATE "C",
       coalesce(upper(s.during), 'infinity'::timestamptz)
FROM segment AS s
JOIN workspace_instance AS w ON w.id = s.instance_id
"""

# Each change that can make time of a stopped instance billable again says so in its own transaction. It adds a row and
# waits for nobody: a claim takes away the rows that it has seen, so that a row that it has not seen outlasts it. What
# changes an account's windows or what is charged needs no row: `account.claimed_windows` has the windows of the mark.
# `since` is a microsecond before the end, so that the segment reaches beyond it.
#
# What joins is run by EXECUTE, and so planned for the rows that there are: else a session would keep the plan of its
# first, mostly of a single row. LATERAL with OFFSET 0 has segments found by instance, never read as a whole.
REOPENING = (
    """
    CREATE FUNCTION reopen_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO reopened_usage (attribution_id, since)
        SELECT attribution_id, min(least(stopping_time, stopped_time)) - interval '1 microsecond'
        FROM added
        WHERE attribution_id <> '' AND least(stopping_time, stopped_time) > started_time
        GROUP BY attribution_id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION reopen_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        EXECUTE $planned$
            WITH changed AS MATERIALIZED (
                SELECT after.id, after.attribution_id, after.segmented,
                       least(after.stopping_time, after.stopped_time) AS until
                FROM after
                JOIN before USING (id)
                WHERE (after.attribution_id, after.creation_time, after.started_time, after.stopping_time,
                       after.stopped_time, after.segmented)
                    IS DISTINCT FROM
                      (before.attribution_id, before.creation_time, before.started_time, before.stopping_time,
                       before.stopped_time, before.segmented)
            )
            INSERT INTO reopened_usage (attribution_id, since)
            SELECT r.attribution_id, min(r.until) - interval '1 microsecond'
            FROM (
                SELECT c.attribution_id, c.until FROM changed AS c WHERE NOT c.segmented
                UNION ALL
                SELECT s.attribution_id, s.until
                FROM changed AS c
                CROSS JOIN LATERAL (
                    SELECT attribution_id, upper(during) AS until FROM segment WHERE instance_id = c.id OFFSET 0
                ) AS s
                WHERE c.segmented
            ) AS r
            WHERE r.attribution_id <> '' AND r.until < 'infinity'
            GROUP BY r.attribution_id
        $planned$;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION reopen_segments() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO reopened_usage (attribution_id, since)
        SELECT attribution_id, min(upper(during)) - interval '1 microsecond'
        FROM after
        WHERE attribution_id <> '' AND upper(during) IS NOT NULL
        GROUP BY attribution_id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION reopen_released() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        EXECUTE $planned$
            INSERT INTO reopened_usage (attribution_id, since)
            SELECT s.attribution_id, min(s.until) - interval '1 microsecond'
            FROM released AS r
            CROSS JOIN LATERAL (
                SELECT attribution_id, during, until FROM instance_segment WHERE instance_id = r.instance_id OFFSET 0
            ) AS s
            WHERE s.during && r.during AND s.attribution_id <> '' AND s.until < 'infinity'
            GROUP BY s.attribution_id
        $planned$;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER reopen_added AFTER INSERT ON workspace_instance
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION reopen_added()
    """,
    """
    CREATE TRIGGER reopen_changed AFTER UPDATE ON workspace_instance
        REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION reopen_changed()
    """,
    """
    CREATE TRIGGER reopen_added AFTER INSERT ON segment
        REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION reopen_segments()
    """,
    """
    CREATE TRIGGER reopen_changed AFTER UPDATE ON segment
        REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION reopen_segments()
    """,
    """
    CREATE TRIGGER reopen_released AFTER DELETE ON claim
        REFERENCING OLD TABLE AS released FOR EACH STATEMENT EXECUTE FUNCTION reopen_released()
    """,
)

# They run as the owner, whatever the writer's search path and rights: see `OWN_TABLES_ALONE` in 0007.
REOPENING_AS_OWNER = """
DO $$
DECLARE
    each_function text;
BEGIN
    FOREACH each_function IN ARRAY ARRAY['reopen_added', 'reopen_changed', 'reopen_segments', 'reopen_released'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path TO %I, pg_temp', each_function, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', each_function);
    END LOOP;
END
$$
"""


def upgrade() -> None:
    # Before the locks that keep readers out. `perdure db upgrade` has built what takes long.
    for name, columns in indexes.KEPT.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")
    op.execute(indexes.INSTANCE_KEY)
    op.execute(CLAIM_NEVER_TWICE)
    for statement in MARKS.strip().split(";\n"):
        if statement.strip():
            op.execute(statement)
    for statement in (*REOPENING, REOPENING_AS_OWNER, *reports_0010.STATEMENTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a downgrade would delete what was billed: restore a backup instead")
