#!/bin/sh
# Writes requirements/*.txt from requirements/*.in: newest versions, every file's hash, no addresses of registries.
# Use the oldest Python that is supported: it needs the most packages, and what it does not need elsewhere is harmless.
set -eu
cd "$(dirname "$0")/.."
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-/usr/bin/python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check pip-tools
for name in runtime dev build; do # each is pinned to what those before it were pinned to
    "$scratch/venv/bin/pip-compile" --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
        --output-file "requirements/$name.txt" "requirements/$name.in"
done
