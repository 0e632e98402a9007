"""Templates: built once, whole or not at all."""

import threading
import time
from pathlib import Path

import pytest

from testbed.templates import template


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hasync" / "templates"


def test_failed_build_leaves_no_template(cache: Path) -> None:
    """A half initialised data directory is never copied."""

    def build(data: Path) -> None:
        data.mkdir()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        template("mysql", "9.7", build=build)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_two_at_once_build_one_template() -> None:
    """The second waits for the first, and uses what it made."""
    built: list[Path] = []

    def build(data: Path) -> None:
        data.mkdir()
        built.append(data)
        time.sleep(0.2)  # the others arrive

    threads = [threading.Thread(target=template, args=("mysql", "9.7"), kwargs={"build": build}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_another_recipe_gets_another_template() -> None:
    """A new version or new accounts do not start on old data."""
    first, second = (template("mysql", recipe, build=Path.mkdir) for recipe in ("9.7", "9.8"))
    assert first != second
