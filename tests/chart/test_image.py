"""The image, as far as it can be judged without an engine that builds it: its Dockerfile, and its steps run by hand."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from hasync import __version__
from tests.chart.conftest import slow
from tests.chart.dockerfile import Stage, stages
from tests.chart.values import ROOT

HEAD, BUILD, FINAL = stages(ROOT / "Dockerfile")


def test_base_is_one_that_can_be_pinned() -> None:
    """Both stages start from one argument with a version in it, so a digest given once counts for both."""
    assert HEAD.of("ARG") == ["PYTHON_IMAGE=python:3.12-slim"]
    assert [BUILD.base, FINAL.base] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_everything_that_is_downloaded_has_a_pinned_hash() -> None:
    """Pip takes what a lock file says, or nothing from outside; nothing is fetched in another way."""
    steps = [step.strip() for words in BUILD.of("RUN") for step in words.split("&&")]
    for step in [step for step in steps if re.search(r"pip (install|wheel|download)", step)]:
        assert "--require-hashes --only-binary :all:" in step or "--no-index --no-deps" in step, step
        assert "pip wheel" not in step or "--no-build-isolation" in step
    assert not [words for stage in (BUILD, FINAL) for words in stage.of("ADD")]
    assert not re.search(r"\b(curl|wget|git clone)\b", " ".join(steps))


@pytest.mark.parametrize("name", ["build", "runtime"])
def test_lock_files_hold_hashes_only(name: str) -> None:
    """Each requirement is a version with hashes; build tools are those of the lock file for development."""
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pins = re.findall(r"^(\S+==\S+) \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[\w-]", text, re.MULTILINE)) > 1
    if name == "build":
        others = (ROOT / "requirements/dev.txt").read_text() + (ROOT / "requirements/runtime.txt").read_text()
        assert all(f"{pin} \\\n" in others for pin in pins)


def test_container_is_an_unprivileged_process_that_hears_signals() -> None:
    """No shell stands between SIGTERM and hasync; the user is a number above 10000; no secret is baked in."""
    last = {one.name: one.words for one in FINAL.instructions}
    assert json.loads(last["ENTRYPOINT"]) == ["hasync"]
    assert json.loads(last["CMD"]) == ["run"]
    assert (last["USER"], last["STOPSIGNAL"], last["EXPOSE"]) == ("10001:10001", "SIGTERM", "9187")
    names = [one.name for one in FINAL.instructions]
    assert "RUN" not in names[names.index("USER") :]
    assert not re.search(r"password|secret|token", " ".join(FINAL.of("ENV") + FINAL.of("LABEL")), re.IGNORECASE)


def test_health_check_is_code_that_runs() -> None:
    """What Docker asks is Python that compiles, and a path of the admin port."""
    (words,) = FINAL.of("HEALTHCHECK")
    command = json.loads(words.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/livez" in command[2]


def _context(target: Path) -> None:
    """Copy what .dockerignore lets through; the patterns of ours name files and folders at the root only."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    forbidden = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    for name in allowed:
        source = ROOT / name
        if source.is_dir() and name != "requirements":
            shutil.copytree(source, target / name, ignore=lambda _, names: _matching(names, forbidden))
        elif source.is_file():
            (target / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copy(source, target / name)


def _matching(names: list[str], patterns: list[str]) -> set[str]:
    return {name for name in names if any(fnmatch(name, pattern) for pattern in patterns)}


def _by_hand(stage: Stage, root: Path, log: Path) -> None:
    """Run a stage's steps with /opt below ``root``; Debian packages are this machine's own."""
    (root / "opt").mkdir()
    steps = [words.replace("/opt/", f"{root}/opt/") for words in stage.of("RUN") if "apt-get" not in words]
    environ = {
        "PATH": f"{root}/bin:{os.defpath}:/usr/local/bin",
        "HOME": str(root),
        **dict(re.findall(r"(\w+)=(\S+)", " ".join(stage.of("ENV")))),
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")},
    }
    (root / "bin").mkdir()
    (root / "bin/python").symlink_to(Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}")
    for step in steps:
        with log.open("a") as output:
            ended = subprocess.run(
                ["sh", "-ec", step], cwd=root / "src", env=environ, stdout=output, stderr=output, check=False
            )
        assert ended.returncode == 0, f"{step}\n{log.read_text()[-3000:]}"


@slow
@pytest.mark.timeout(600)
def test_steps_of_the_build_stage_make_an_installation_that_runs(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each pip step, run by hand on what the builder would get, ends in a hasync with a compiled codec, and no pip."""
    (tmp_path / "src").mkdir()
    _context(tmp_path / "src")
    _by_hand(BUILD, tmp_path, tmp_path / "log")
    made = tmp_path / "opt/hasync"
    version = subprocess.run([made / "bin/hasync", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"hasync {__version__}\n"
    installed = {path.name.partition("-")[0].lower() for path in made.glob("lib/python3*/site-packages/*.dist-info")}
    assert "hasync" in installed
    assert not installed & {"pip", "cython", "setuptools", "pytest"}
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file() and not path.is_symlink())
    record_property("chart", ("image: hasync and what it needs", "helm4", f"{size / 1e6:.0f} MB"))
    assert size < 120e6
