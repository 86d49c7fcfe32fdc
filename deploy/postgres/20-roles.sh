#!/bin/bash
# Creates the roles of Perdure's processes; each `perdure db upgrade` grants their rights (storage/schema/grants.sql).
# Runs once, when the data volume is empty. For a database older than the roles, or new passwords, run it by hand:
#
#   docker compose exec postgres /docker-entrypoint-initdb.d/20-roles.sh
set -euo pipefail

role() { # NAME [PASSWORD-FILE]; without the file, the role cannot log in
  psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set role="$1" --set login="${2:+LOGIN}" --set password="$([ -z "${2:-}" ] || cat "$2")" <<'SQL'
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', :'role', :'password') WHERE :'login' <> '' \gexec
SQL
}

secrets="${SECRETS_FOLDER:-/run/secrets}"
role perdure_billing "$secrets/billing_db_password"
role perdure_operator "$secrets/operator_db_password"
role perdure_ingest "$secrets/ingest_db_password"
role perdure_api "$secrets/api_db_password"
# The metrics read as this role. For people who only read: GRANT perdure_reader TO somebody.
role perdure_reader "$secrets/reader_db_password"
role perdure_console "$secrets/console_db_password"
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "${PERDURE_DATABASE:-perdure}" \
  --command 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'
