#!/bin/sh
# A streaming replica: the first start copies the primary, later starts resume replication.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA"
    mkdir -p -m 0700 "$PGDATA"
    pg_basebackup --host="${PRIMARY_HOST:-postgres}" --port="${PRIMARY_PORT:-5432}" --username=replicator \
        --pgdata="$PGDATA" --wal-method=stream --slot=replica --write-recovery-conf --checkpoint=fast
fi
# hot_standby_feedback: the primary keeps row versions that queries on the replica still need.
exec postgres -D "$PGDATA" -c hot_standby=on -c hot_standby_feedback=on -c max_connections=200 "$@"
