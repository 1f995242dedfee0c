#!/bin/sh
# A streaming replica: the first start copies the primary, later starts resume replication.
#
# The copy is made in a folder of its own and renamed when it is complete, so that an interrupted one is made again. The
# primary keeps WAL for the slot up to `max_slot_wal_keep_size`. A replica that was away for longer has lost its slot and
# cannot catch up: it is copied anew.
set -eu
if [ -n "${PASSWORD_FILE:-}" ]; then
    PGPASSWORD="$(cat "$PASSWORD_FILE")"
    export PGPASSWORD
fi
PRIMARY_HOST="${PRIMARY_HOST:-postgres}"
PRIMARY_PORT="${PRIMARY_PORT:-5432}"
SLOT="${SLOT:-replica}"

on_primary() {
    psql --host="$PRIMARY_HOST" --port="$PRIMARY_PORT" --username=replicator --dbname="${PRIMARY_DATABASE:-postgres}" \
        --no-align --tuples-only --quiet --set=ON_ERROR_STOP=1 --command="$1"
}

copy_primary() {
    # A slot that is lost keeps nothing any more, and an unused one keeps old row versions: both are made anew.
    # The slot of an interrupted copy stays active until the primary has noticed that its client is gone.
    attempts=60
    while [ "$attempts" -gt 0 ]; do
        on_primary "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
            WHERE slot_name = '$SLOT' AND NOT active" >/dev/null
        [ "$(on_primary "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$SLOT'")" = 0 ] && break
        attempts=$((attempts - 1))
        sleep 1
    done
    rm -rf "$PGDATA.copy"
    mkdir -p -m 0700 "$PGDATA.copy"
    pg_basebackup --host="$PRIMARY_HOST" --port="$PRIMARY_PORT" --username=replicator --pgdata="$PGDATA.copy" \
        --wal-method=stream --create-slot --slot="$SLOT" --write-recovery-conf --checkpoint=fast
    rm -rf "$PGDATA"
    mv "$PGDATA.copy" "$PGDATA"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    copy_primary
elif status=$(on_primary "SELECT coalesce((SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$SLOT'), 'none')"); then
    # If the primary does not answer, the replica starts with what it has.
    case "$status" in lost | none) copy_primary ;; esac
fi
# hot_standby_feedback: the primary keeps row versions that queries on the replica still need.
exec postgres -D "$PGDATA" -c hot_standby=on -c hot_standby_feedback=on -c max_connections=200 "$@"
