-- name: create_facts
-- The columns of an imported row, in the order of `staged_instance`, and of what kind of fact it is, from whom.
CREATE TEMPORARY TABLE new_fact (
    position         bigint NOT NULL,
    line             bigint NOT NULL,
    id               text COLLATE "C" NOT NULL,
    attribution_id   text COLLATE "C",
    workspace_id     text,
    project_id       text,
    owner_id         text,
    workspace_class  text COLLATE "C",
    workspace_type   text,
    creation_time    timestamptz,
    started_time     timestamptz,
    stopping_time    timestamptz,
    stopped_time     timestamptz,
    quantity         numeric,
    missing          text[] NOT NULL,
    updated_at       timestamptz NOT NULL,
    digest           uuid NOT NULL,
    content          text NOT NULL,
    kind             text NOT NULL,
    source           text COLLATE "C" NOT NULL,
    received_at      timestamptz NOT NULL,
    corrects         boolean NOT NULL DEFAULT false
) ON COMMIT DROP;

-- name: drop_facts
DROP TABLE new_fact;

-- name: fill_facts
INSERT INTO new_fact
SELECT *, 'row', CAST(:source AS text), now()
FROM staged_instance
WHERE position > :after AND updated_at IS NOT NULL
ORDER BY position
LIMIT :size;

-- name: measure_facts
SELECT count(*) AS rows, max(position) AS last FROM new_fact;

-- name: analyze_facts
ANALYZE new_fact (id, updated_at);

-- name: refuse_invoiced
-- Workspace and project stay as they were invoiced, because reports are rebuilt from them. A correction without the
-- column would clear it. Under the accounts' locks, so that a claim is seen.
WITH compared AS (
    SELECT f.position, f.id, w.workspace_id, w.project_id,
           ('workspace_id' <> ALL (f.missing) OR CAST(:correct AS boolean))
               AND w.workspace_id IS DISTINCT FROM f.workspace_id AS changes_workspace,
           ('project_id' <> ALL (f.missing) OR CAST(:correct AS boolean))
               AND w.project_id IS DISTINCT FROM f.project_id AS changes_project
    FROM new_fact AS f
    JOIN workspace_instance AS w ON w.id = f.id
),
changing AS MATERIALIZED (
    SELECT * FROM compared WHERE changes_workspace OR changes_project
)
DELETE FROM new_fact AS f
USING changing
WHERE changing.position = f.position
  AND (EXISTS (SELECT FROM claim AS c WHERE instance_key(c.instance_id) = instance_key(changing.id))
       OR EXISTS (SELECT FROM claim_history AS h WHERE h.instance_id = changing.id))
RETURNING f.line, f.id,
    CASE WHEN changes_workspace THEN 'workspace_id' ELSE 'project_id' END AS "column",
    CASE WHEN changes_workspace THEN changing.workspace_id ELSE changing.project_id END AS known;

-- name: replace_facts
-- The rows of this file are all that counts from now on.
WITH unseen AS (
    UPDATE workspace_instance
    SET seen_at = NULL, seen_by = NULL
    WHERE id IN (SELECT id FROM new_fact) AND seen_at IS NOT NULL
)
UPDATE usage_fact
SET replaced_at = now()
WHERE instance_id IN (SELECT id FROM new_fact) AND replaced_at IS NULL AND received_at < :since;

-- name: drop_known
-- A fact that a correction replaced stays replaced when it arrives again. Known facts are found one by one: the cost does
-- not grow with the table.
DELETE FROM new_fact AS f
WHERE EXISTS (
    SELECT FROM usage_fact AS u
    WHERE (u.instance_id, u.at, u.source, u.digest) = (f.id, f.updated_at, f.source, f.digest)
    OFFSET 0
);

-- name: insert_facts
INSERT INTO usage_fact (instance_id, at, source, digest, kind, content, received_at)
SELECT id, updated_at, source, digest, kind, content, received_at FROM new_fact;

-- name: lock_accounts
-- Of what is known already: under an account's lock, an import either is seen by a claim or sees the claim.
SELECT lock_accounts(ARRAY(
    SELECT unnest(ARRAY[w.attribution_id, f.attribution_id])
    FROM new_fact AS f
    JOIN workspace_instance AS w ON w.id = f.id
    UNION ALL
    SELECT s.attribution_id FROM segment AS s WHERE s.instance_id IN (SELECT id FROM new_fact)
));

-- name: count_stale
SELECT count(*) FROM new_fact AS f JOIN workspace_instance AS w ON w.id = f.id WHERE f.updated_at < w.last_sign;

-- name: insert_again
-- Also those that were known, or replaced: the file says so now.
INSERT INTO usage_fact AS known (instance_id, at, source, digest, kind, content, received_at)
SELECT id, updated_at, source, digest, kind, content, received_at
FROM new_fact
ON CONFLICT (instance_id, at, source, digest) DO UPDATE SET replaced_at = NULL, received_at = excluded.received_at;

-- name: insert_fresh
-- An instance that is not known, with one fact: nothing to fold.
WITH alone AS (
    SELECT id FROM new_fact GROUP BY id HAVING count(*) = 1
),
written AS (
    INSERT INTO workspace_instance (
        id, attribution_id, workspace_id, project_id, owner_id, workspace_class, workspace_type, quantity,
        creation_time, started_time, stopping_time, stopped_time, last_sign, last_source
    )
    SELECT f.id, f.attribution_id, f.workspace_id, f.project_id, f.owner_id, f.workspace_class, f.workspace_type,
           coalesce(f.quantity, 1), coalesce(f.creation_time, f.started_time), f.started_time, f.stopping_time,
           f.stopped_time, f.updated_at, f.source
    FROM new_fact AS f
    JOIN alone USING (id)
    WHERE f.kind IN ('row', 'started')
      AND NOT EXISTS (SELECT FROM workspace_instance AS w WHERE w.id = f.id)
    RETURNING id
),
gone AS (
    DELETE FROM new_fact AS f USING written AS x WHERE x.id = f.id
)
SELECT count(*) FROM written;

-- name: touch
-- A newer fact that says what is known is only a sign.
WITH alone AS (
    SELECT id FROM new_fact GROUP BY id HAVING count(*) = 1
),
touched AS (
    UPDATE workspace_instance AS w
    SET last_sign = f.updated_at, last_source = f.source
    FROM new_fact AS f
    JOIN alone USING (id)
    WHERE w.id = f.id
      AND f.kind IN ('row', 'changed', 'alive')
      AND f.updated_at > w.last_sign
      AND ('attribution_id' = ANY (f.missing) OR w.attribution_id IS NOT DISTINCT FROM f.attribution_id)
      AND ('workspace_id' = ANY (f.missing) OR w.workspace_id IS NOT DISTINCT FROM f.workspace_id)
      AND ('project_id' = ANY (f.missing) OR w.project_id IS NOT DISTINCT FROM f.project_id)
      AND ('owner_id' = ANY (f.missing) OR w.owner_id IS NOT DISTINCT FROM f.owner_id)
      AND ('workspace_class' = ANY (f.missing) OR w.workspace_class IS NOT DISTINCT FROM f.workspace_class)
      AND ('workspace_type' = ANY (f.missing) OR w.workspace_type IS NOT DISTINCT FROM f.workspace_type)
      AND ('quantity' = ANY (f.missing) OR w.quantity = coalesce(f.quantity, 1))
      AND ('creation_time' = ANY (f.missing)
           OR w.creation_time IS NOT DISTINCT FROM coalesce(f.creation_time, f.started_time))
      AND ('started_time' = ANY (f.missing) OR w.started_time IS NOT DISTINCT FROM f.started_time)
      AND ('stopping_time' = ANY (f.missing) OR w.stopping_time IS NOT DISTINCT FROM f.stopping_time)
      AND ('stopped_time' = ANY (f.missing) OR w.stopped_time IS NOT DISTINCT FROM f.stopped_time)
    RETURNING w.id
)
DELETE FROM new_fact AS f USING touched AS t WHERE t.id = f.id;

-- name: ids
SELECT DISTINCT id FROM new_fact ORDER BY id;

-- name: facts_of
-- Of equal rows that follow each other, the first and the last say it all: a source whose update time moves with each
-- sign of life would otherwise have thousands of an instance read and folded.
SELECT instance_id, at, source, kind, content
FROM (
    SELECT *,
           kind = 'row'
               AND (lag(source) OVER ordered, lag(digest) OVER ordered) = (source, digest)
               AND (lead(source) OVER ordered, lead(digest) OVER ordered) = (source, digest) AS repeats
    FROM usage_fact
    WHERE instance_id = ANY (CAST(:ids AS text[])) AND replaced_at IS NULL
    WINDOW ordered AS (PARTITION BY instance_id ORDER BY at, source, digest)
) AS f
WHERE repeats IS NOT TRUE
ORDER BY instance_id;

-- name: add_known
-- What was known before the first fact is a fact too, even if it was replaced since and corrected back.
INSERT INTO usage_fact (instance_id, at, source, digest, kind, content)
SELECT * FROM unnest(
    CAST(:ids AS text[]), CAST(:at AS timestamptz[]), CAST(:sources AS text[]), CAST(:digests AS uuid[]),
    CAST(:kinds AS text[]), CAST(:contents AS text[])
)
ON CONFLICT (instance_id, at, source, digest) DO UPDATE SET replaced_at = NULL, received_at = now();
