"""Compiled modules never lag behind their sources: whatever changed, they are made anew before anything runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "requirements/runtime.txt", "scripts/codec.sh")
SOURCE = "import cython\n\ndef answer() -> int:\n    return {number} if cython.compiled else 0\n"

Compile = Callable[..., list[str]]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose codec is one function."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*NEEDED, "hasync/__init__.py", "hasync/binlog/codec/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "hasync/binlog/codec/one.pxd").touch()
    (folder / "hasync/binlog/__init__.py").touch()
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return folder


@pytest.fixture
def compiling(checkout: Path) -> Compile:
    """Write the codec with another answer, run the script, and return what it says."""

    def compiling(number: int, **environment: str) -> list[str]:
        source = checkout / "hasync/binlog/codec/one.py"
        source.write_text(SOURCE.format(number=number))
        os.utime(source, (0, 0))  # older than anything: what counts is the content
        command = [checkout / "scripts/codec.sh"]
        environ = {**os.environ, **environment}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    return compiling


def answer(checkout: Path) -> int:
    code = "from hasync.binlog.codec.one import answer; print(answer())"
    return int(subprocess.check_output([sys.executable, "-c", code], cwd=checkout))


def objects(checkout: Path) -> list[Path]:
    return list(checkout.glob("hasync/**/*.so"))


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no compiler, so nothing is compiled here")


def test_changed_source_is_compiled_whatever_its_time_says(checkout: Path, compiling: Compile) -> None:
    """A checkout, a copy or a restored file may carry any time."""
    assert compiling(1) == ["setup: compiling the codec"]
    assert answer(checkout) == 1
    assert compiling(2) == ["setup: compiling the codec"]
    assert answer(checkout) == 2


def test_unchanged_source_is_left_alone(compiling: Compile) -> None:
    """Every make target asks, so it has to be quick."""
    compiling(3)
    assert compiling(3) == []


def test_module_of_unknown_origin_is_replaced(checkout: Path, compiling: Compile) -> None:
    """Somebody may have built by hand, from something else."""
    compiling(4)
    [module] = objects(checkout)
    module.write_bytes(b"built by hand")
    compiling(4)
    assert answer(checkout) == 4


@pytest.mark.parametrize(
    ("environment", "reason"), [({"HASYNC_PURE": "1"}, "HASYNC_PURE is set"), ({"CC": "no-compiler"}, "no C compiler")]
)
def test_without_compiler_the_source_runs_and_a_line_says_so(
    checkout: Path, compiling: Compile, environment: dict[str, str], reason: str
) -> None:
    """Nothing compiled is left from before, and nothing fails."""
    compiling(5)
    said = compiling(5, **environment)
    assert reason in said[-1]
    assert objects(checkout) == []
    assert answer(checkout) == 0
    assert compiling(5, **environment) == []


def test_codec_that_does_not_compile_is_an_error(checkout: Path, compiling: Compile) -> None:
    """A mistake in the codec never ends as a slow installation, nor as the module of yesterday."""
    compiling(6)
    (checkout / "hasync/binlog/codec/one.pxd").write_text("cdef class (\n")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        compiling(7)
    assert failed.value.stderr.endswith("setup: broken: the codec does not compile (see above)\n")
    assert objects(checkout) == []
    (checkout / "hasync/binlog/codec/one.pxd").write_text("")
