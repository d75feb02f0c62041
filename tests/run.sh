#!/bin/sh
# Set up and run the tests. Arguments go to pytest: sh tests/run.sh -k config
# With --parity first, the comparison with the espnet package instead, which is installed for it.
set -u
parity=no
if [ "${1:-}" = --parity ]; then
    parity=yes
    shift
fi
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
recipe=$root/egs/tts/Jets
sh "$root/bins/setup.sh" "$root/tests/requirements.txt" "$recipe/requirements-demo.txt" \
    "$recipe/requirements-export.txt" || exit $?
if [ "$parity" = yes ]; then
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        -r "$root/tests/requirements-parity.txt" || exit $?
    set -- -m parity "$@"
fi
# One thread for each process: faster on few cores, and the same everywhere.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS
cd "$root" || exit 1
exec "$root/.venv/bin/python" -m pytest -q "$@"
