#!/bin/sh
# Set up the project's virtual environment, .venv: made when missing, packages installed when their list has changed.
# usage: sh bins/setup.sh [further requirements files]
#   PYTHON   interpreter to build it with (default: the first of python3, python3.13 ... python3.10 that will do)
set -u

case ${1-} in
    -h | --help)
        sed -n '2,4s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
venv=$root/.venv
python=$venv/bin/python
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_DISABLE_PIP_VERSION_CHECK

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
        if new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

if ! [ -x "$python" ]; then
    base=$(find_python) || fail "Python 3.10 or newer is needed; install it, or name it: PYTHON=/path/to/python3.12"
    printf 'making the virtual environment %s\n' "$venv"
    if ! "$base" -m venv "$venv"; then
        rm -rf "$venv"
        fail "$base cannot make a virtual environment; on Debian and Ubuntu: sudo apt install python3-venv"
    fi
fi
new_enough "$python" || fail "$venv is older than Python 3.10; remove it and run this again"
"$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null 2>&1 ||
    fail "$venv is incomplete (no pip); remove it and run this again"

# Python in .venv finds the project from any folder.
"$python" -c 'import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "jets.pth").write_text(sys.argv[1] + "\n", encoding="utf-8")' "$root" ||
    fail "$venv cannot be written to"

# PyPI's torch for Linux brings gigabytes of CUDA; without an NVIDIA card the small build for the CPU is taken, where
# its home can be reached.
torch_index() {
    case $(uname -s) in
        Linux) ;;
        *) return 0 ;;
    esac
    ! command -v nvidia-smi >/dev/null 2>&1 || return 0
    ! "$python" -c 'import torch' >/dev/null 2>&1 || return 0
    address=https://download.pytorch.org/whl/cpu
    if "$python" -c "import urllib.request as r; r.urlopen('$address/torch/', timeout=5)" >/dev/null 2>&1; then
        printf '%s\n' "--extra-index-url=$address"
    fi
}

# A list counts as installed when its copy in .venv is equal to it.
for list in "$root/requirements.txt" "$@"; do
    [ -r "$list" ] || fail "$list: no such requirements file"
    stamp=$venv/.installed-$(printf '%s' "$list" | cksum | tr -c '0-9\n' '-')
    if ! cmp -s "$list" "$stamp"; then
        printf 'installing the packages of %s (a few minutes the first time)\n' "${list#"$root"/}"
        # Who looks on sees what pip is at; elsewhere only what goes wrong is worth a line.
        quiet=--quiet
        [ ! -t 1 ] || quiet=''
        index=''
        [ "$list" != "$root/requirements.txt" ] || index=$(torch_index)
        "$python" -m pip install ${quiet:+"$quiet"} --no-compile ${index:+"$index"} -r "$list" ||
            fail "pip could not install $list; the reason stands above"
        cp "$list" "$stamp"
    fi
done
