#!/bin/sh
# Compiles hasync/binlog/codec in place, when its content is not what was compiled before; scripts/setup.sh runs it.
# Never goes by times: a stale module next to another source would silently be run in its place.  While it compiles,
# and when that fails, there is none.
#
# HASYNC_PURE  1: leave the codec uncompiled, and remove what was compiled
# CC           the C compiler; without a working one the codec runs uncompiled, which a line says
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
codec=hasync/binlog/codec
python=.venv/bin/python
stamp=.venv/.stamp-codec
log=.venv/codec.log

say() { echo "setup: $*" >&2; }

# What the modules are made of, and they themselves.
sources() {
    header="$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"
    echo "# $("$python" --version) HASYNC_PURE=${HASYNC_PURE:-0} $(command -v "${CC:-gcc}") $(ls "$header" 2>/dev/null)"
    sha256sum setup.py requirements/runtime.txt "$codec"/*.py "$codec"/*.pxd
}
modules() { sha256sum "$codec"/*.so 2>/dev/null || true; }

# Has the build, which goes by times, see what changed since the last one.
mark_changed() {
    if [ ! -e "$stamp" ] || sha256sum setup.py requirements/runtime.txt | grep -qvxF -f "$stamp"; then
        rm -rf .venv/build
        return 0
    fi
    echo "$made_of" | grep -vxF -f "$stamp" | while read -r _ file; do [ ! -e "$file" ] || touch "$file"; done
}

made_of="$(sources)" # of before: whatever is edited meanwhile is compiled the next time
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(echo "$made_of"; modules)" ]; then exit 0; fi
[ "${HASYNC_PURE:-0}" != 0 ] || say "compiling the codec"
rm -f "$codec"/*.so "$codec"/*.c
mark_changed
rm -f "$stamp"
"$python" setup.py build_ext --inplace --parallel "$(nproc)" --build-temp .venv/build/temp --build-lib .venv/build/lib \
    >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2; say "broken: the codec does not compile (see above)"; exit 1; }
[ -n "$(modules)" ] || say "$(sed -n 's/^hasync: //p' "$log" | tail -n 1)"
(echo "$made_of"; modules) >"$stamp"
