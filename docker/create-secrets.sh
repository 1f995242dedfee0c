#!/bin/sh
# Creates the secrets of docker-compose.yml in a folder, by default `secrets` in the current folder. Files that exist are kept,
# so that it can be run again. The passwords of PostgreSQL must stay the same for as long as its volumes exist.
#
# The files can be read by everybody who may enter the folder, because the users of the containers have other ids; the folder
# belongs to its owner alone.
set -eu
folder="${1:-secrets}"
mkdir -p -m 0700 "$folder"

# write NAME: takes the content from standard input, unless the file exists.
write() {
    if [ -e "$folder/$1" ]; then
        cat >/dev/null
    else
        cat >"$folder/$1.new"
        chmod 0444 "$folder/$1.new"
        mv "$folder/$1.new" "$folder/$1"
        echo "created $folder/$1"
    fi
}

# Hexadecimal, so that passwords can be part of a URL.
password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in jwt_secret action_token_secret metrics_token postgres_password service_password replication_password \
    redis_password; do
    password | write "$name"
done

service_password="$(cat "$folder/service_password")"
redis_password="$(cat "$folder/redis_password")"
echo "postgresql://leaderboard:$service_password@postgres/leaderboard" | write database_url
echo "postgresql://leaderboard:$service_password@replica/leaderboard" | write database_replica_urls
echo "redis://leaderboard:$redis_password@redis:6379/0" | write redis_url
# Without a password only PING is allowed, for the check of the container's health.
write redis_users.acl <<ACL
user default on nopass resetkeys resetchannels -@all +ping
user leaderboard on >$redis_password ~lb:* &lb:* -@all +@read +@write +@keyspace +@connection +@scripting +@transaction +@pubsub -@dangerous +info +time
ACL
