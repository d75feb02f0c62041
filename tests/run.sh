#!/bin/sh
# Set up and run the tests. Arguments go to pytest: sh tests/run.sh -k config
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
recipe=$root/egs/tts/Jets
sh "$root/bins/setup.sh" "$root/tests/requirements.txt" "$recipe/requirements-demo.txt" \
    "$recipe/requirements-export.txt" || exit $?
# One thread for each process: faster on few cores, and the same everywhere.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS
cd "$root" || exit 1
exec "$root/.venv/bin/python" -m pytest -q "$@"
