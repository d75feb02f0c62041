#!/bin/sh
# Set up and run the tests, in as many processes as there are cores, at most four. Arguments go to pytest:
# sh tests/run.sh -k config; with -n 0 there is one process, whose output -s shows.
# With --parity first, the comparison with the espnet package instead, which is installed for it.
# With --faults first, the kills, full disks and damaged inputs alone, at full length (an hour), of which every run has a
# short form.
set -u
what=tests
case ${1-} in
    --parity | --faults)
        what=${1#--}
        shift
        ;;
    -h | --help)
        sed -n '2,6s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
recipe=$root/egs/tts/Jets
sh "$root/bins/setup.sh" "$root/tests/requirements.txt" "$recipe/requirements-demo.txt" \
    "$recipe/requirements-export.txt" "$recipe/requirements-espnet.txt" "$recipe/requirements-serve.txt" || exit $?
if [ "$what" = parity ]; then
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        -r "$root/tests/requirements-parity.txt" || exit $?
    set -- -m parity "$@"
else
    # Tests of one file share what is slow to make. They start in the order of their folders, where the long ones are not
    # the last. pytest's --pdb turns "auto" off, as it has to.
    : "${PYTEST_XDIST_AUTO_NUM_WORKERS:=$("$root/.venv/bin/python" -c '
import os
print(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))')}"
    export PYTEST_XDIST_AUTO_NUM_WORKERS
    [ "$what" = tests ] || set -- tests/faults --chains 6 --examples 3000 "$@"
    set -- -n auto --dist loadfile --no-loadscope-reorder "$@"
fi
# Many tests start Python anew, which compiles torch every time where nothing may be written beside the sources.
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then
    unset PYTHONDONTWRITEBYTECODE
    : "${PYTHONPYCACHEPREFIX:=$root/.venv/bytecode}"
    export PYTHONPYCACHEPREFIX
fi
# One thread for each process: faster on few cores, and the same everywhere.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS
cd "$root" || exit 1
exec "$root/.venv/bin/python" -m pytest -q "$@"
