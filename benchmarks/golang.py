"""The contender in Go, built once into the cache, where a Go toolchain and its module proxy are there."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired

from testbed import Process
from testbed.workdirs import cache, locked

SOURCES = Path(__file__).with_name("go")
FILES = ("go.mod", "go.sum", "main.go")
TOOLCHAIN_PLACES = "/usr/local/go/bin"
"""Where Go's own archive puts it; added to the path."""

BUILT_WITHIN_S = 240.0


class NotBuiltError(Exception):
    """The Go program cannot be built here; the message says why."""


def modules() -> dict[str, str]:
    """Return the versions of the libraries that the program is written with."""
    lines = (SOURCES / "go.mod").read_text(encoding="utf-8").splitlines()
    required = (line.split() for line in lines if line.startswith("\t") and not line.endswith("// indirect"))
    return {name.removeprefix("github.com/"): version for name, version in required}


def build() -> Path:
    """Return the program, building it unless the cache has it. Raises NotBuiltError."""
    home = cache() / "go"
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / "build.lock"):
        program = home / f"contender-{_version()}"
        if not program.exists():
            _build(program, home)
        return program


def _version() -> str:
    return hashlib.sha256(b"\0".join((SOURCES / file).read_bytes() for file in FILES)).hexdigest()[:16]


def _build(program: Path, home: Path) -> None:
    path = f"{os.environ.get('PATH', os.defpath)}:{TOOLCHAIN_PLACES}"
    go = shutil.which("go", path=path)
    if go is None:
        raise NotBuiltError("no Go toolchain on the path")
    for older in home.glob("contender-*"):
        older.unlink()
    print("building the contender in Go", flush=True)
    scratch = program.with_name(f".{program.name}")
    log = home / "build.log"
    log.unlink(missing_ok=True)
    command = [go, "build", "-trimpath", "-o", str(scratch), "."]
    _run(Process(command, log=log, directory=SOURCES, environment=environment(os.environ, home, path)))
    scratch.rename(program)


def environment(given: Mapping[str, str], home: Path, path: str) -> dict[str, str]:
    """Return the environment of ``go build``: the user's proxy, but modules and objects in our cache alone.

    Modules are writable, or the cache could not be removed; no other toolchain is downloaded.
    """
    flags = f"{given.get('GOFLAGS', '')} -modcacherw -mod=readonly".strip()
    ours = {"GOMODCACHE": str(home / "modules"), "GOCACHE": str(home / "objects"), "GOTOOLCHAIN": "local"}
    return {**given, **ours, "PATH": path, "GOFLAGS": flags, "CGO_ENABLED": "0", "GOWORK": "off"}


def _run(process: Process) -> None:
    try:
        process.start()
        failed = process.wait(BUILT_WITHIN_S)
    except TimeoutExpired:
        raise NotBuiltError(f"the build took more than {BUILT_WITHIN_S:g} s") from None
    finally:
        process.kill()
    if failed:
        raise NotBuiltError(process.tail(1) or f"go build ended with exit code {failed}")
