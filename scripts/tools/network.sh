#!/bin/sh
# Network namespaces for the chaos suite: ip, tc and iptables.  On a machine without root that suite says why it is skipped.
. "$(dirname "$0")/install.inc"

if has ip && has tc && has iptables; then exit 0; fi
[ "$(id -u)" -eq 0 ] || exit 0 # making namespaces takes root anyway
alone
apt_install iproute2 iptables
