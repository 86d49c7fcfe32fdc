#!/bin/bash
# Runs once, when the data volume is empty. Two owners, so that Temporal and Perdure cannot touch each other's data.
set -euo pipefail

create() {
  local role="$1" secret="$2"
  shift 2
  psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set role="$role" --set password="$(<"$secret")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
  local database
  for database in "$@"; do
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
      --set role="$role" --set database="$database" <<'SQL'
CREATE DATABASE :"database" OWNER :"role" TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
SQL
  done
}

create temporal /run/secrets/temporal_db_password temporal temporal_visibility
create perdure /run/secrets/perdure_db_password perdure
