#!/bin/sh
# Set up and run the tests. Arguments go to pytest: sh tests/run.sh -k config
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
sh "$root/bins/setup.sh" "$root/tests/requirements.txt" "$root/egs/tts/Jets/requirements-demo.txt" || exit $?
# One thread for each process: faster on few cores, and the same everywhere.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS
cd "$root" || exit 1
exec "$root/.venv/bin/python" -m pytest -q "$@"
