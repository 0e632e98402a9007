#!/bin/sh
# Writes the software bill of materials of what hasync needs at run time: CycloneDX 1.6, JSON, to build/sbom.json.
# It is made of requirements/runtime.txt alone, so it names what is pinned there, with the hashes that pip checks.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
"${PYTHON:-python3}" scripts/sbom.py requirements/runtime.txt pyproject.toml > build/sbom.json
echo "build/sbom.json"
