#!/bin/sh
# Builds hasync, installs it compiled from a wheel and uncompiled from source, and runs the codec's tests on both.
# Needs what scripts/setup.sh made; touches nothing in this checkout and downloads nothing: what hasync depends on is
# taken from .venv.
#
# $@  tests to run; default: those of the codec
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- tests/unit/binlog
python="$PWD/.venv/bin/python"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_INDEX=1 PYTHONDONTWRITEBYTECODE=1

say() { echo "packages: $*" >&2; }

# Shows the output of a command that fails.
quietly() {
    "$@" >"$scratch/log" 2>&1 || { code=$?; tail -n 40 "$scratch/log" >&2; return "$code"; }
}

# $1: where to, $2: from what; CC is the compiler of a build from source.
install() {
    "$python" -m venv --without-pip "$scratch/$1"
    "$scratch/$1/bin/python" - "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" <<'END_OF_PYTHON'
import pathlib, sys, sysconfig
# After this environment's own packages, so that .venv's hasync is not the one that is found.
pathlib.Path(sysconfig.get_path("purelib"), "dependencies.pth").write_text(sys.argv[1])
END_OF_PYTHON
    quietly "$python" -m pip --python "$scratch/$1/bin/python" install --no-deps --no-build-isolation \
        --ignore-installed "$2"
    quietly "$scratch/$1/bin/hasync" --version
}

# $1: where hasync is installed, $2: whether it must be compiled, the rest: tests
try() {
    name="$1" compiled="$2"
    shift 2
    (
        cd "$scratch/tests-only" # no hasync beside the tests, so only the installed one can be imported
        found="$("$scratch/$name/bin/python" -c 'from hasync.binlog.codec import COMPILED, __file__; print(COMPILED, __file__)')"
        case "$found" in
            "$compiled $scratch/$name/"*) ;;
            *) say "$name: found $found"; exit 1 ;;
        esac
        say "$name: compiled: $compiled"
        "$scratch/$name/bin/python" -m pytest --quiet -p no:cacheprovider "$@"
    )
}

say "building a source distribution and a wheel"
quietly "$python" setup.py egg_info --egg-base "$scratch" sdist --dist-dir "$scratch/dist"
mkdir "$scratch/source" "$scratch/tests-only"
tar -xzf "$scratch"/dist/*.tar.gz -C "$scratch/source" --strip-components 1
printf '[build_ext]\nparallel = %s\n' "$(nproc)" >"$scratch/jobs.cfg"
DIST_EXTRA_CONFIG="$scratch/jobs.cfg" \
    quietly "$python" -m pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch/dist" "$scratch/source"
rm -rf "$scratch/source/build"
cp -R tests testbed pyproject.toml "$scratch/tests-only/"

install wheel "$(echo "$scratch"/dist/*.whl)"
CC=no-compiler-at-all install source "$scratch/source"
try wheel True "$@"
try source False "$@"
