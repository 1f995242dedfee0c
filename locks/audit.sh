#!/bin/sh
# Looks up everything that is locked in the lists of known vulnerabilities: audit.sh PIP_AUDIT NPM
# The exit code is 1 if something vulnerable is locked, and otherwise 2 if a list could not be read.
set -u
cd "$(dirname "$0")/.."
pip_audit=$1
npm=$2
output=$(mktemp)
trap 'rm -f "$output"' EXIT
code=0

found() { code=1; cat "$output"; echo "$1: vulnerable, see above" >&2; }
unknown() { [ "$code" = 1 ] || code=2; echo "$1: could not be audited: $2" >&2; }
clean() { echo "$1: no known vulnerabilities"; }

# dev.txt has everything that run.txt and image.txt have. --strict: a package that is not in the list is an error.
for lock in locks/dev.txt locks/uv.txt locks/node.txt locks/codegen.txt locks/audit.txt; do
    if "$pip_audit" --strict --disable-pip --require-hashes --progress-spinner off --timeout 30 -r "$lock" >"$output" 2>&1; then
        clean "$lock"
    elif grep -q "^Found [0-9]* known vulnerabilit" "$output"; then
        found "$lock"
    else
        unknown "$lock" "$(grep -v '^ *$' "$output" | tail -n 1 | sed 's/^ERROR:[^:]*://' | cut -c 1-200)"
    fi
done

for folder in web examples clients/typescript bench/peers/node; do
    lock=$folder/package-lock.json
    if (cd "$folder" && "$npm" audit --package-lock-only --fetch-retries=1 --fetch-timeout=30000) >"$output" 2>&1; then
        clean "$lock"
    elif grep -qE "[0-9]+ .*vulnerabilit" "$output"; then
        found "$lock"
    else
        unknown "$lock" "$(grep -m 1 -E 'npm (warn|error|ERR!) ' "$output" | cut -c 1-200)"
    fi
done
exit $code
