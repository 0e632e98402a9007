#!/bin/sh
# prometheus and promtool, unpacked into the cache: the Debian package itself would start a service.
. "$(dirname "$0")/install.inc"

tree="$cache/prometheus-tree-1"
if [ -d "$tree" ] || { has prometheus && has promtool; }; then exit 0; fi
alone
[ -d "$tree" ] || { say "unpacking prometheus into $tree"; apt_unpack prometheus "$tree"; }
