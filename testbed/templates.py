"""Initialised data directories, made once, kept in the cache and copied for each start."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from testbed.servers import StartError
from testbed.workdirs import cache, locked


def template(kind: str, *recipe: str, build: Callable[[Path], None]) -> Path:
    """Return the template directory of that kind and recipe, building it if the cache does not have it.

    Built under another name and renamed, so that a crash leaves no half template; of two processes one builds.

    Args:
        kind: "mysql", "mariadb": the first part of the directory's name.
        recipe: everything the content depends on: version, options, SQL.
        build: fills the directory it is given, which does not exist yet.
    """
    folder = cache() / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]}"
    if path.is_dir():
        return path
    with locked(folder / f"{kind}.lock"):
        if not path.is_dir():
            _build(path, build)
    return path


def _build(path: Path, build: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
        fresh = Path(scratch) / "data"
        build(fresh)
        fresh.rename(path)


def copy(source: Path, target: Path) -> None:
    """Copy a template for one server, which may then write to it."""
    shutil.copytree(source, target, symlinks=True)


def run(command: list[str], *, what: str) -> None:
    """Run one step of a build.

    Raises:
        StartError: It failed; the message ends with its output.
    """
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise StartError(f"{what} ended with exit code {done.returncode}:\n{output}")
