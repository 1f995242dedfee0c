#!/bin/sh
# Runs once, when the cluster of the primary is created: creates the role of the service with its database, and the role of
# the replica, which creates its own slot. Neither is a superuser. The passwords are in files.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres --quiet \
    --set=service="${SERVICE_ROLE:-leaderboard}" --set=database="${SERVICE_DATABASE:-leaderboard}" \
    --set=service_password="$(cat "$SERVICE_PASSWORD_FILE")" \
    --set=replication_password="$(cat "$REPLICATION_PASSWORD_FILE")" <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password';
CREATE ROLE :"service" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'service_password';
-- The service owns its database: it migrates its tables, and creates a partition for each month.
-- Its collation does not depend on the operating system, whose upgrades would make indexes invalid.
CREATE DATABASE :"database" OWNER :"service" TEMPLATE template0
    ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
-- Everybody may connect to these databases by default; the service needs only its own.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO replicator;
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
