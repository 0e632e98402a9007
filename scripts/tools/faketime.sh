#!/bin/sh
# libfaketime, unpacked into the cache: the chaos suite turns an instance's clock with it.
. "$(dirname "$0")/install.inc"

tree="$cache/faketime-tree-1"
if [ -d "$tree" ] || ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1; then exit 0; fi
has apt-get || exit 0 # that fault is then counted as not run
alone
[ -d "$tree" ] || { say "unpacking libfaketime into $tree"; apt_unpack libfaketime "$tree"; }
