"""Work directories: removed at the end, or by the next run."""

import os
import time
from pathlib import Path

import pytest

from testbed import workdir, workdirs


def age(path: Path) -> None:
    past = time.time() - 2 * workdirs.YOUNG_S
    os.utime(path, (past, past))


def test_directory_is_removed_also_after_an_error(tmp_path: Path) -> None:
    """A failed test leaves no data behind."""
    with pytest.raises(FileExistsError), workdir(tmp_path) as path:
        path.mkdir()
    assert list(tmp_path.iterdir()) == []


def test_directory_of_a_dead_owner_is_swept(tmp_path: Path) -> None:
    """What a SIGKILLed run left is removed by the next one."""
    orphan = tmp_path / f"{workdirs.PREFIX}orphan"
    orphan.mkdir()
    age(orphan)
    with workdir(tmp_path) as path:
        assert list(tmp_path.iterdir()) == [path]


def test_directory_of_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    """Two runs at once do not remove each other's data, however old it is."""
    with workdir(tmp_path) as first:
        age(first)
        with workdir(tmp_path):
            assert first.is_dir()


def test_kept_directory_outlives_its_run_and_the_next(tmp_path: Path) -> None:
    """Logs asked for are there to read."""
    with workdir(tmp_path, keep=True) as kept:
        age(kept)
    with workdir(tmp_path):
        assert kept.is_dir()
