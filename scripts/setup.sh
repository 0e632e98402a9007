#!/bin/sh
# Installs what demo and tests need: Debian packages (that takes root), a MySQL tree in the cache, .venv, and the
# compiled codec.  Starts no service.  Idempotent: what is there already is left alone, and then no root is needed.
# Progress goes to standard error; on failure the last line says what is missing, and the exit code is 1.
#
# PYTHON          the Python to use (3.11 or newer); default: the first that fits
# HASYNC_PURE     1: leave the codec uncompiled
# XDG_CACHE_HOME  parent of the cache that all clones share; default: ~/.cache
set -eu
umask 022

cd "$(dirname "$0")/.."
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
cache="${XDG_CACHE_HOME:-${HOME:?}/.cache}/hasync"
tree="$cache/mysql-tree-1" # testbed/trees.py knows this name; a new recipe takes the next number
jars=/usr/share/java
log="$cache/setup.log"

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a noisy command with its output in the log; shows the end of it when the command fails.
quietly() {
    "$@" >>"$log" 2>&1 </dev/null || { code=$?; tail -n 20 "$log" >&2; return "$code"; }
}

# ------------------------------------------------------------------ Debian packages
python_fits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for python in ${PYTHON:-python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11}; do
        if python_fits "$python"; then return 0; fi
    done
    return 1
}

# Prints the packages that are needed and not there, judged by their files, so that other sources of them count too.
missing_packages() {
    find_python || echo python3 python3-venv
    has make || echo make
    has mariadbd && has mariadb-install-db || echo mariadb-server-core
    has mariadb || echo mariadb-client-core
    has redis-server || has redis-check-rdb || echo redis-tools # not redis-server: that package starts a service
    has redis-cli || echo redis-tools
    has java || echo default-jre-headless
    [ -e "$jars/zookeeper.jar" ] && [ -e "$jars/slf4j-simple.jar" ] || echo libzookeeper-java libslf4j-java
    has ss || echo iproute2
}

# A mysqld on the path serves as well, if it is not MariaDB under its old name.
mysql_installed() {
    has mysqld && ! mysqld --version 2>/dev/null | grep -q MariaDB
}

has_headers() {
    find_python && [ -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
}

# The same of packages without which the codec runs uncompiled: nothing fails for want of them.
wanted_packages() {
    [ "${HASYNC_PURE:-0}" = 0 ] || return 0
    has "${CC:-gcc}" || echo gcc libc6-dev
    has_headers || echo python3-dev
}

install_wanted() {
    wanted="$(wanted_packages | tr '\n' ' ')"
    [ -n "$wanted" ] && has apt-get && [ "$(id -u)" -eq 0 ] || return 0
    say "installing ${wanted% }"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list
    # shellcheck disable=SC2015 # said in both cases
    quietly apt-get -q -o DPkg::Lock::Timeout=300 update &&
        quietly apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends $wanted ||
        say "going on without ${wanted% }"
}

install_packages() {
    packages="$(missing_packages | tr ' ' '\n' | sort -u | tr '\n' ' ')"
    packages="${packages% }"
    [ -n "$packages" ] || return 0
    has apt-get || die "missing: $packages (names of Debian 12 packages); install what provides them, then run this again"
    [ "$(id -u)" -eq 0 ] || die "missing: $packages; run this once as root, or: apt-get install $packages"
    say "installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -q -o DPkg::Lock::Timeout=300 update || die "missing: a package mirror that answers (apt-get update failed, see above)"
    # shellcheck disable=SC2086 # a list
    quietly apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends $packages ||
        die "missing: $packages (apt-get install failed, see above)"
    packages="$(missing_packages | tr '\n' ' ')"
    [ -z "$packages" ] || die "missing: ${packages% }, even after installing the packages; Debian 12 or newer is needed"
}

# ------------------------------------------------------------------ MySQL
# Debian 12 has no MySQL, its development release (sid) has: download that and all it needs from the mirror apt uses
# here, and unpack it into one tree.  Nothing of it is installed and no root is needed: apt works on lists of its own,
# and testbed/trees.py runs the programs through the tree's own loader, with the tree's libraries.
private_apt() {
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial"
    : >"$scratch/status" # as if nothing were installed, so that everything is downloaded
    echo "deb $([ -e "$keyring" ] && echo "[signed-by=$keyring]") $mirror sid main" >"$scratch/sources.list"
    cat >"$scratch/apt.conf" <<END
Dir::Etc::sourcelist "$scratch/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$scratch/state";
Dir::State::status "$scratch/status";
Dir::Cache "$scratch/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
END
}

unpack_mysql() {
    if [ -d "$tree" ] || mysql_installed; then return 0; fi
    # shellcheck disable=SC2016 # apt's variable
    mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1)"
    [ -n "$mirror" ] || die "missing: MySQL's mysqld (8.4 or newer), and no Debian mirror in apt's sources to get it from"
    say "unpacking MySQL of Debian's development release into $tree"
    find "$cache" -maxdepth 1 -name '.mysql-tree-*' -exec rm -rf {} + # of a run that was killed; the lock is ours
    scratch="$(mktemp -d "$cache/.mysql-tree-XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    private_apt
    if ! quietly env APT_CONFIG="$scratch/apt.conf" apt-get -q update ||
        ! quietly env APT_CONFIG="$scratch/apt.conf" apt-get -qy --no-install-recommends --download-only \
            install mysql-server-core mysql-client-core; then
        die "missing: MySQL (downloading mysql-server-core of Debian sid failed, see above)"
    fi
    for package in "$scratch"/cache/archives/*.deb; do
        dpkg -x "$package" "$scratch/tree" || die "missing: MySQL (unpacking ${package##*/} failed)"
    done
    rm -rf "$scratch/tree/usr/share/doc" "$scratch/tree/usr/share/man" "$scratch/tree/usr/share/locale"
    mv "$scratch/tree" "$tree" # complete or not there at all, also after a crash
    rm -rf "$scratch"
    trap - EXIT INT TERM HUP
}

# ------------------------------------------------------------------ Python
# What .venv was made from; compared with what it would be made from now.
inputs() {
    "$python" --version
    cat "$@" scripts/setup.sh
    pwd # an editable install knows where it is
}

# $1: name of the stamp, the rest: files; true if .venv was brought up to these before.
fresh() {
    stamp=".venv/.stamp-$1"
    shift
    want="$(inputs "$@" | sha256sum)"
    [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]
}

install_requirements() {
    if fresh requirements requirements/runtime.txt requirements/dev.txt; then return 0; fi
    say "making .venv with $("$python" --version)"
    [ "$(.venv/bin/python --version 2>&1)" = "$("$python" --version)" ] && .venv/bin/python -m pip --version >/dev/null 2>&1 ||
        quietly "$python" -m venv --clear .venv || die "missing: a Python that can make a virtual environment (see above)"
    quietly .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes \
        -r requirements/runtime.txt -r requirements/dev.txt ||
        die "missing: Python packages (pip install failed, see above)"
    echo "$want" >"$stamp"
}

install_project() {
    if fresh project pyproject.toml setup.py; then return 0; fi
    say "installing hasync into .venv"
    # scripts/codec.sh compiles the codec, whenever it changes.
    quietly env HASYNC_PURE=1 .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation \
        --editable . || die "missing: hasync itself (pip install failed, see above)"
    echo "$want" >"$stamp"
}

# ------------------------------------------------------------------
has flock || die "missing: flock (package util-linux)"
mkdir -p "$cache" 2>/dev/null || die "missing: a cache directory that can be written ($cache)"
[ -w "$cache" ] || die "missing: a cache directory that can be written ($cache)"
exec 8>"$cache/setup.lock" 9<scripts/setup.sh
flock 8 # one at a time changes the machine and the cache ...
: >"$log"
install_packages
install_wanted
unpack_mysql
exec 8>&-
flock 9 # ... and one at a time this checkout
find_python
install_requirements
install_project
scripts/codec.sh
.venv/bin/python -m testbed programs >/dev/null
