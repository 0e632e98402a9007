"""Directories: one for each run, removed at its end, and the cache that runs and clones share."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "hasync-testbed-"
KEPT = "hasync-kept-"
YOUNG_S = 60.0


def cache() -> Path:
    """Return the cache directory: `$XDG_CACHE_HOME/hasync`, or `~/.cache/hasync`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hasync"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file, made if missing; the kernel frees it when this process dies."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def workdir(parent: Path | None = None, *, keep: bool = False) -> Iterator[Path]:
    """Make a work directory and remove it at the end, unless `keep`.

    One whose owner was SIGKILLed is removed by the next call: a living owner holds a lock on it.
    """
    base = parent or Path(tempfile.gettempdir())
    _sweep(base)
    path = Path(tempfile.mkdtemp(prefix=KEPT if keep else PREFIX, dir=base))
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _sweep(base: Path) -> None:
    for path in base.glob(PREFIX + "*"):
        with suppress(OSError):  # another user's, or removed meanwhile
            if not _in_use(path):
                shutil.rmtree(path, ignore_errors=True)


def _in_use(path: Path) -> bool:
    if time.time() - path.stat().st_mtime < YOUNG_S:  # its owner may not have come to the lock yet
        return True
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
