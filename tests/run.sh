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
# A process for each core, and each file's tests in one of them. Your own -n comes later and wins.
spread='--numprocesses=auto --maxprocesses=4 --dist=loadfile'
if [ "$parity" = yes ]; then
    spread=''
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        -r "$root/tests/requirements-parity.txt" || exit $?
    set -- -m parity "$@"
fi
# One thread for each process: faster on few cores, and the same everywhere.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS
cd "$root" || exit 1
# shellcheck disable=SC2086 # the options are words
exec "$root/.venv/bin/python" -m pytest -q $spread "$@"
