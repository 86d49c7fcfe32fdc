-- name: server
-- The server, the login, and the extension that forbids billing twice.
SELECT
    CAST(current_setting('server_version_num') AS int) AS version_num,
    current_setting('server_version') AS version,
    CAST(current_user AS text) AS login,
    EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist') AS has_extension,
    to_regclass('claim') IS NOT NULL AS has_tables,
    clock_timestamp() AS now;

-- name: roles
-- Which of the roles exist, and which of them can do anything, as a superuser or as the owner of the tables.
SELECT r.rolname AS role,
       r.rolsuper OR pg_has_role(r.rolname, c.relowner, 'MEMBER') AS unbounded
FROM pg_roles AS r
CROSS JOIN pg_class AS c
WHERE r.rolname = ANY (CAST(:roles AS text[])) AND c.oid = to_regclass('claim')
ORDER BY r.rolname;

-- name: missing_rights
-- Rights that a role should have and has not. `column` is empty for a whole table.
SELECT w.role, w.table_name, w.verb, w.column_name
FROM unnest(CAST(:roles AS text[]), CAST(:tables AS text[]), CAST(:verbs AS text[]), CAST(:columns AS text[]))
    AS w (role, table_name, verb, column_name)
JOIN pg_roles AS r ON r.rolname = w.role
WHERE to_regclass(w.table_name) IS NOT NULL
  AND NOT CASE w.column_name
      WHEN '' THEN has_table_privilege(r.oid, to_regclass(w.table_name), w.verb)
      ELSE has_column_privilege(r.oid, to_regclass(w.table_name), w.column_name, w.verb)
  END
ORDER BY w.role, w.table_name, w.verb, w.column_name;

-- name: excess_rights
-- Rights to change a whole table that a role has and should not have. `roles` has those without bounds.
SELECT r.rolname AS role, c.relname AS table_name, v.verb, '' AS column_name
FROM pg_roles AS r
CROSS JOIN pg_class AS c
CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS v (verb)
WHERE r.rolname = ANY (CAST(:known AS text[])) AND NOT r.rolsuper
  AND c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind = 'r'
  AND NOT pg_has_role(r.oid, c.relowner, 'MEMBER')
  AND has_table_privilege(r.oid, c.oid, v.verb)
  AND NOT EXISTS (
      SELECT FROM unnest(
          CAST(:roles AS text[]), CAST(:tables AS text[]), CAST(:verbs AS text[]), CAST(:columns AS text[])
      ) AS w (role, table_name, verb, column_name)
      WHERE w.role = r.rolname AND w.table_name = c.relname AND w.verb = v.verb
  )
ORDER BY r.rolname, c.relname, v.verb;

-- name: customers
-- Accounts whose customers are known to lack what an invoice may need, and details that Stripe does not have yet.
SELECT count(*) FILTER (WHERE email_in_stripe IS FALSE) AS without_email,
       count(*) FILTER (WHERE address_in_stripe IS FALSE) AS without_address,
       count(*) FILTER (WHERE cardinality(unsent) > 0) AS unsent
FROM account;
