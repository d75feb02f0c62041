#!/bin/sh
# The JETS recipe, stage by stage. POSIX sh; works from any folder. `sh run.sh --help` lists every flag.
# This finds Python; what the flags mean, and which script each stage is, stands in bins/run.py and bins/recipe.py.

# The folder of this script, through symbolic links.
script=$0
while [ -h "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname -- "$script")/$target ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$script")/../../.." && pwd -P) || exit 2

python=$root/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
PYTHONUTF8=1
export PYTHONUTF8
# Flags are checked by any Python there is, even where the one for the stages is missing and has to be set up.
for any in "$python" python3 python3.13 python3.12 python3.11 python3.10; do
    ! command -v "$any" >/dev/null 2>&1 || exec "$any" "$root/bins/run.py" "$python" "$@"
done
printf 'error: no Python at "%s"; set everything up with: sh %s/bins/setup.sh\n' "$python" "$root" >&2
exit 2
