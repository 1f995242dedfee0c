#!/bin/sh
# Prints the board as server-sent events whenever it changes, until interrupted: sh watch.sh [url]
# Reconnects after a lost connection; the first event is then a snapshot, so nothing is missed.
url=${1:-http://127.0.0.1:8000/graphql}
query='subscription Watch { leaderboardUpdates(limit: 3) { kind leaderboard { entries { rank score user { username } } } } }'

while :; do
  curl --silent --no-buffer "$url" \
    --header 'accept: text/event-stream' \
    --header 'content-type: application/json' \
    --data "{\"query\": \"$query\"}"
  sleep 2
done
