#!/bin/sh
# Archives one file of the write-ahead log:
#
#   archive_command = 'sh /etc/leaderboard/archive-wal.sh "%p" "%f" /backups/wal'
#
# The copy is compressed, written to a temporary name, and renamed once it is on the disk. PostgreSQL repeats the command
# until it succeeds, also for a file that it does not know to be archived; such a file must have the same content.
set -eu
path=$1 name=$2 folder=$3
target="$folder/$name.gz"
if [ -e "$target" ]; then
    gzip -dc "$target" | cmp -s - "$path" && exit 0
    echo "archive-wal.sh: $target is there already, with other content" >&2
    exit 1
fi
umask 027
part="$folder/.$name.part"
trap 'rm -f "$part"' EXIT
gzip -c "$path" > "$part"
sync "$part"
mv "$part" "$target"
sync "$folder"
