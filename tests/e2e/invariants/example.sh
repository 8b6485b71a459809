#!/bin/sh
# The example of the README: without arguments it explains itself, and it transcribes a recording
# where there is a model.
set -eu
example=$1 recording=$2 model=$3
if "$example" 2>/dev/null; then
    echo "no arguments should be an error"
    exit 1
fi
if STENO_MODEL=/nonexistent "$example" "$recording" 2>/dev/null; then
    echo "a missing model should be an error"
    exit 1
fi
message=$(STENO_MODEL=/nonexistent "$example" "$recording" 2>&1 || true)
case $message in
*/nonexistent*) ;;
*)
    echo "the message should name the file: $message"
    exit 1
    ;;
esac
if [ ! -r "$model" ]; then
    echo "the rest is left out, as there is no model at $model"
    exit 77
fi
[ "$(STENO_MODEL=$model "$example" "$recording" | wc -w)" -gt 5 ]
