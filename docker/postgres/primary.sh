#!/bin/sh
# Runs once, when the cluster of the primary is created: creates the role of the replica, which creates its own slot.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_USER" \
    --set=password="$REPLICATION_PASSWORD" --quiet <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
