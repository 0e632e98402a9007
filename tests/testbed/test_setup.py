"""The bootstrap: it and the testbed agree, and it says in one line what it lacks."""

import os
import shutil
import subprocess
from pathlib import Path

from testbed import trees

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "scripts" / "setup.sh"
PLAIN = ["cat", "dirname", "flock", "id", "mkdir", "sh", "sort", "tail", "tr"]


def test_setup_and_testbed_mean_the_same_mysql_tree() -> None:
    """The one unpacks what the other runs."""
    assert f'tree="$cache/{trees.MYSQL_TREE}"' in SETUP.read_text()


def test_missing_programs_are_named_in_one_line(tmp_path: Path) -> None:
    """On a machine without apt it stops before it changes anything."""
    for name in PLAIN:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHON": "no-python"}
    done = subprocess.run([SETUP], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("setup: missing: ")
    assert {"default-jre-headless", "make", "python3", "redis-tools"} <= set(line.split())


def test_unwritable_cache_is_named_in_one_line(tmp_path: Path) -> None:
    """Nothing is installed when the result could not be kept."""
    (tmp_path / "file").touch()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    done = subprocess.run([SETUP], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"missing: a cache directory that can be written ({tmp_path}/file/hasync)" in done.stderr
