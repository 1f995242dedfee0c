#!/bin/sh
# Runs once, when the cluster of the primary is created: creates the role and the slot of the replica.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_USER" \
    --set=password="$REPLICATION_PASSWORD" --quiet <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
SELECT pg_create_physical_replication_slot('replica');
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
