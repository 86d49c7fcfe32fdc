-- name: claims
-- The claims in scope: on the period's invoices, or within its time.
SELECT count(*)
FROM claim AS c
LEFT JOIN invoice AS i ON i.id = c.invoice_id
WHERE (CAST(:period AS text) IS NULL OR i.billing_period = :period
       OR c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
  AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id);

-- name: constraint_missing
-- Search the catalog for what a constraint does, not for its name. A constraint that is not enforced does not count.
-- `former`: of a table that `perdure db upgrade` has not yet brought along, which holds as well.
WITH wanted AS (
    SELECT 'claim' AS "table", 'claim_never_twice' AS name, 'x' AS contype,
           'EXCLUDE USING gist (instance_key(instance_id) WITH =, during WITH &&)' AS definition,
           'EXCLUDE USING gist (instance_id WITH =, during WITH &&)' AS former
    UNION ALL
    SELECT 'claim', 'claim_during_form', 'c', NULL, NULL
    UNION ALL
    SELECT 'segment', 'segment_never_two_at_once', 'x', 'EXCLUDE USING gist (instance_id WITH =, during WITH &&)', NULL
    UNION ALL
    SELECT 'segment', 'segment_during_form', 'c', NULL, NULL
),
found AS (
    SELECT tables."table", k.contype, k.conname, pg_get_constraintdef(k.oid) AS definition,
           k.convalidated
           AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
           AND coalesce(x.indisvalid AND x.indisready AND x.indislive, true) AS stands
    FROM (SELECT DISTINCT "table" FROM wanted) AS tables
    JOIN pg_constraint AS k ON k.conrelid = to_regclass(tables."table")
    LEFT JOIN pg_index AS x ON x.indexrelid = k.conindid
)
INSERT INTO audit_finding (audit_id, check_name, kind, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'constraint_missing',
       'the table ' || wanted."table" || ' lacks the constraint ' || wanted.name
       || coalesce(' ' || wanted.definition, '') || '; it has '
       || coalesce(
           (
               SELECT string_agg(found.conname || ' ' || found.definition
                                 || CASE WHEN found.stands THEN '' ELSE ' (not valid)' END, ', ' ORDER BY found.conname)
               FROM found
               WHERE found."table" = wanted."table" AND found.contype::text = wanted.contype
           ),
           'none of its kind'
       )
FROM wanted
WHERE NOT EXISTS (
    SELECT FROM found
    WHERE found.stands
      AND found."table" = wanted."table"
      AND found.contype::text = wanted.contype
      AND CASE WHEN wanted.definition IS NULL THEN found.conname = wanted.name
               ELSE found.definition IN (wanted.definition, wanted.former)
          END
);

-- name: instances
-- Instances with a claim that touches the scope.
SELECT c.instance_id
FROM claim AS c
LEFT JOIN invoice AS i ON i.id = c.invoice_id
LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
WHERE (CAST(:period AS text) IS NULL OR i.billing_period = :period
       OR c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
  AND (CAST(:attribution_id AS text) IS NULL OR CAST(:attribution_id AS text) IN (i.attribution_id, w.attribution_id))

-- name: overlap
-- One pass in the order of time finds the suspect instances: those with a claim that begins before all earlier ones
-- have ended. Only their claims are paired, so that this costs one sort whether the constraint is in force or not.
WITH suspect AS MATERIALIZED (
    SELECT DISTINCT instance_id
    FROM (
        SELECT instance_id,
               lower(during) < max(upper(during)) OVER (
                   PARTITION BY instance_id ORDER BY lower(during) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ) AS doubled
        FROM claim
        WHERE CAST(:period AS text) IS NULL AND CAST(:attribution_id AS text) IS NULL
           OR instance_id IN ({instances})
    ) AS ordered
    WHERE doubled
),
doubled AS (
    SELECT c.instance_id, c.invoice_id, c.line_no, c.during, c.ctid AS place
    FROM claim AS c
    WHERE c.instance_id IN (SELECT instance_id FROM suspect)
),
pair AS (
    SELECT a.instance_id, w.attribution_id, a.during * b.during AS during, a.line_no AS first_line, b.line_no AS second_line,
           coalesce(i.key, 'an invoice that does not exist (id ' || a.invoice_id || ')') AS first_invoice,
           coalesce(j.key, 'an invoice that does not exist (id ' || b.invoice_id || ')') AS second_invoice,
           i.key AS invoice_key,
           ARRAY[i.attribution_id, j.attribution_id, w.attribution_id] AS accounts,
           ARRAY[i.billing_period, j.billing_period] AS periods
    FROM doubled AS a
    JOIN doubled AS b ON b.instance_id = a.instance_id AND b.during && a.during AND a.place < b.place
    LEFT JOIN invoice AS i ON i.id = a.invoice_id
    LEFT JOIN invoice AS j ON j.id = b.invoice_id
    LEFT JOIN workspace_instance AS w ON w.id = a.instance_id
)
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'overlap', attribution_id, instance_id, invoice_key,
       'from ' || (to_json(lower(during)) #>> '{}') || ' to ' || (to_json(upper(during)) #>> '{}')
       || ' on line ' || first_line || ' of ' || first_invoice || ' and on line ' || second_line || ' of ' || second_invoice
FROM pair
WHERE (CAST(:period AS text) IS NULL OR CAST(:period AS text) = ANY (periods)
       OR during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
  AND (CAST(:attribution_id AS text) IS NULL OR CAST(:attribution_id AS text) = ANY (accounts))
ORDER BY instance_id, during;

-- name: billed_twice
-- Usage that was released although its invoice is live or was paid, and that another invoice has claimed. What a
-- correction has cut was given back.
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), 'billed_twice', i.attribution_id, h.instance_id, i.key,
       'from ' || (to_json(lower(h.during * c.during)) #>> '{}') || ' to '
       || (to_json(upper(h.during * c.during)) #>> '{}') || ' on line ' || h.line_no || ' of ' || i.key || ', which is '
       || i.state || CASE WHEN i.paid_at IS NULL THEN '' ELSE ' and was paid' END || ' although this was released ('
       || h.reason || '), and on line ' || c.line_no || ' of '
       || coalesce(j.key, 'an invoice that does not exist (id ' || c.invoice_id || ')')
FROM claim_history AS h
JOIN invoice AS i ON i.id = h.invoice_id AND (i.state NOT IN ({dead}) OR i.paid_at IS NOT NULL)
JOIN claim AS c
    ON instance_key(c.instance_id) = instance_key(h.instance_id) AND c.during && h.during AND c.invoice_id <> h.invoice_id
LEFT JOIN invoice AS j ON j.id = c.invoice_id
WHERE h.reason <> 'corrected'
  AND (CAST(:period AS text) IS NULL OR CAST(:period AS text) IN (i.billing_period, j.billing_period)
       OR h.during * c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
  AND (CAST(:attribution_id AS text) IS NULL OR CAST(:attribution_id AS text) IN (i.attribution_id, j.attribution_id))
ORDER BY h.instance_id, h.during, i.key;

-- name: released
SELECT count(*)
FROM claim_history AS h
JOIN invoice AS i ON i.id = h.invoice_id
WHERE (CAST(:period AS text) IS NULL OR i.billing_period = :period)
  AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id);
