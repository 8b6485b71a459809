#!/bin/sh
# Fails if the library shows a symbol that is not steno_*, or lacks one that the headers declare.
set -eu
shown=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
strange=$(printf '%s\n' "$shown" | grep -v '^steno_' || true)
if [ -n "$strange" ]; then
    echo "symbols that should be hidden:" $strange
    exit 1
fi
headers=$(dirname "$0")/../../../lib/include/steno
declared=$(cat "$headers"/*.h | tr '\n' ' ' |
    grep -oE 'STENO_API [a-z0-9_ *]*steno_[a-z0-9_]+ *\(' | grep -oE 'steno_[a-z0-9_]+ *\($' |
    tr -d ' (' | sort)
missing=$(printf '%s\n' "$declared" | while read -r name; do
    printf '%s\n' "$shown" | grep -qx "$name" || echo "$name"
done)
if [ -n "$missing" ]; then
    echo "declared but not there:" $missing
    exit 1
fi
[ "$(printf '%s\n' "$declared" | wc -l)" -ge 30 ]
