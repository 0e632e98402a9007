#!/bin/sh
# A browser without a window, for the status page and the reports.
. "$(dirname "$0")/install.inc"

if has chromium; then exit 0; fi
alone
apt_install chromium
