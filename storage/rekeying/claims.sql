-- name: keyed
-- Whether the constraint of `claim` compares the key of an instance, as since revision 0010.
SELECT EXISTS (
    SELECT FROM pg_constraint AS k
    WHERE k.conrelid = CAST('claim' AS regclass) AND k.contype = 'x'
      AND pg_get_constraintdef(k.oid) = 'EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&)'
);

-- name: try_turn
-- Until the connection ends. Waiting for the lock here would keep this transaction open: see `at_work`.
SELECT pg_try_advisory_lock(7336873202);

-- name: wait_briefly
-- Who wants to write claims waits behind us while we wait for those who do. A second, and PostgreSQL ends an automatic
-- vacuum that is in the way.
SELECT set_config('lock_timeout', '3s', true);

-- name: keep_writers_out
LOCK TABLE claim IN SHARE ROW EXCLUSIVE MODE;

-- name: keep_all_out
LOCK TABLE claim IN ACCESS EXCLUSIVE MODE;

-- name: begin
-- `claim_next_place` has the next block to copy, and the end of what was there before writes went to both tables.
-- The function runs as the owner: see `OWN_TABLES_ALONE` in migration 0007.
-- By EXECUTE, it finds rows in the copy as this grows: else a session would keep the plan for an empty one. It finds
-- them by their key, whatever the planner knows of a copy that is not analyzed yet.
DO $$
BEGIN
    IF to_regclass('claim_next') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE claim_next (LIKE claim INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    ALTER TABLE claim_next ADD CONSTRAINT claim_next_never_twice
        EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&);
    CREATE INDEX claim_next_invoice_id ON claim_next (invoice_id);
    CREATE TABLE claim_next_place AS
        SELECT CAST(0 AS bigint) AS block,
               pg_relation_size('claim') / CAST(current_setting('block_size') AS bigint) AS until;
    CREATE FUNCTION claim_next_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $follows$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            EXECUTE $planned$
                DELETE FROM claim_next AS n
                USING removed AS r
                WHERE instance_key(n.instance_id) = instance_key(r.instance_id) AND n.during = r.during
            $planned$;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO claim_next SELECT * FROM added;
        END IF;
        RETURN NULL;
    END $follows$;
    REVOKE ALL ON FUNCTION claim_next_follows FROM PUBLIC;
    EXECUTE format('ALTER FUNCTION claim_next_follows SET search_path TO %I, pg_temp', current_schema());
    ALTER FUNCTION claim_next_follows SET enable_seqscan TO off;
    CREATE TRIGGER claim_next_inserts AFTER INSERT ON claim
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION claim_next_follows();
    CREATE TRIGGER claim_next_deletes AFTER DELETE ON claim
        REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION claim_next_follows();
    CREATE TRIGGER claim_next_updates AFTER UPDATE ON claim
        REFERENCING OLD TABLE AS removed NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION claim_next_follows();
END $$;

-- name: copy
-- No writer is at work: no row is deleted between being read and being copied. Rows that were written since the triggers
-- exist can lie in these blocks too; they are in the copy already.
WITH place AS (
    UPDATE claim_next_place SET block = least(block + :blocks, until)
    WHERE block < until
    RETURNING block AS next, until
),
copied AS (
    INSERT INTO claim_next
    SELECT c.*
    FROM claim AS c
    WHERE c.ctid >= CAST(format('(%s,0)', (SELECT block FROM claim_next_place)) AS tid)
      AND c.ctid < CAST(format('(%s,0)', (SELECT next FROM place)) AS tid)
    ORDER BY c.ctid
    ON CONFLICT DO NOTHING
)
SELECT next AS done, until AS of FROM place;

-- name: differs
-- One snapshot: a write is in both tables or in none.
SELECT (SELECT (count(*), sum(CAST(hashtextextended(CAST(c AS text), 0) AS numeric))) FROM claim AS c)
       IS DISTINCT FROM
       (SELECT (count(*), sum(CAST(hashtextextended(CAST(n AS text), 0) AS numeric))) FROM claim_next AS n);

-- name: discard
DO $$
BEGIN
    DROP FUNCTION IF EXISTS claim_next_follows CASCADE;
    DROP TABLE IF EXISTS claim_next, claim_next_place;
END $$;

-- name: analyze
ANALYZE claim_next;

-- name: at_work
-- The other transactions in this database, by their virtual ids.
SELECT l.virtualxid
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid() AND a.datname = current_database();

-- name: take_the_name
-- With the triggers of the table, and what others were granted on it.
DO $$
DECLARE
    made_again text[] := ARRAY(
        SELECT pg_get_triggerdef(oid)
        FROM pg_trigger
        WHERE tgrelid = CAST('claim' AS regclass) AND NOT tgisinternal AND NOT starts_with(CAST(tgname AS text), 'claim_next_')
        UNION ALL
        SELECT format('GRANT %s ON claim TO %s', own.privilege_type,
                      CASE own.grantee WHEN 0 THEN 'PUBLIC' ELSE CAST(CAST(own.grantee AS regrole) AS text) END)
        FROM pg_class AS c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS own
        WHERE c.oid = CAST('claim' AS regclass) AND own.grantee <> c.relowner
    );
    each_statement text;
BEGIN
    DROP TABLE claim;
    DROP TABLE claim_next_place;
    DROP FUNCTION claim_next_follows;
    ALTER TABLE claim_next RENAME TO claim;
    ALTER TABLE claim RENAME CONSTRAINT claim_next_never_twice TO claim_never_twice;
    ALTER INDEX claim_next_invoice_id RENAME TO claim_invoice_id;
    FOREACH each_statement IN ARRAY made_again LOOP
        EXECUTE each_statement;
    END LOOP;
END $$;
