"""The codec without a compiler: the same modules as Python, held to the same tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODEC_TESTS = "tests/unit/binlog"
KINDS = """
import tests.uncompiled
from importlib import import_module
from pkgutil import iter_modules
from hasync.binlog import codec
modules = [import_module(f"{codec.__name__}.{module.name}") for module in iter_modules(codec.__path__)]
print(codec.COMPILED, {module.__file__.rpartition(".")[2] for module in modules})
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
def test_codec_passes_its_tests_uncompiled() -> None:
    """What a compiled codec passes in this run, it passes as plain Python, too."""
    run = python("-m", "pytest", "-p", "tests.uncompiled", "-p", "no:cacheprovider", CODEC_TESTS)
    assert "codec: uncompiled" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout


def test_compiled_is_said_of_what_runs() -> None:
    """The hook takes effect on every module, and ``COMPILED`` knows it."""
    assert python("-c", KINDS).stdout.strip() == "False {'py'}"
