"""Both versions of helm, a cluster that is a stand-in, and the table at the end of `make chart`."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chart.apiserver import ApiServer
from tests.chart.helm import CACHE, Helm

FULL = os.environ.get("CHART") == "full"
"""Whether everything is tried (`make chart`), or what takes a minute (`make test`)."""

slow = pytest.mark.skipif(not FULL, reason="part of `make chart`")
"""For tests whose promise is also kept, less thoroughly, by a faster one."""

PROGRAMS = ("helm4", "helm3")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its versions of helm: `helms` are both, `helm4` is the newest, `helm` depends on FULL."""
    if "program" in metafunc.fixturenames:
        both = "helms" in metafunc.fixturenames or (FULL and "helm" in metafunc.fixturenames)
        metafunc.parametrize("program", PROGRAMS if both else PROGRAMS[:1])


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


def _helm(program: str, home: Path, server: ApiServer | None) -> Helm:
    if not (CACHE / program).exists():
        pytest.skip("there is no helm: scripts/tools/helm.sh says why")
    config = home / "kubeconfig"
    if server is not None:
        config.write_text(server.kubeconfig())
    return Helm(CACHE / program, home, config if server else None)


@pytest.fixture
def helm(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> Helm:
    """The newest helm, each version in `make chart`; with a cluster where the test has one."""
    return _helm(program, tmp_path, request.getfixturevalue("cluster") if "cluster" in request.fixturenames else None)


@pytest.fixture
def helms(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> Helm:
    """Each version of helm, always."""
    return _helm(program, tmp_path, request.getfixturevalue("cluster") if "cluster" in request.fixturenames else None)


@pytest.fixture
def helm4(program: str, tmp_path: Path) -> Helm:
    """The newest helm, without a cluster."""
    return _helm(program, tmp_path, None)


@pytest.fixture
def show(record_property: Callable[[str, object], None], program: str) -> Callable[[str, str], None]:
    """Put a figure into the table: what was done, and how much of it."""

    def put(what: str, much: str) -> None:
        record_property("chart", (what, program, much))

    return put


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: a row for each thing that was done, a column for each helm."""
    rows: dict[str, dict[str, list[str]]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "chart" and report.when == "call":
                rows.setdefault(value[0], {}).setdefault(value[1], []).append(value[2])
    if not FULL or not rows:
        return
    terminalreporter.write_sep("=", "the chart")
    width = max(map(len, rows))
    for what, cells in rows.items():
        shown = (f"{program}: {_sum(cells[program])}" for program in PROGRAMS if program in cells)
        terminalreporter.write_line(f"{what:<{width}}  {'   '.join(f'{cell:<32}' for cell in shown)}".rstrip())


def _sum(cells: list[str]) -> str:
    """Add figures up that are of one kind: 3 objects and 4 objects are 7 objects."""
    parts = [re.fullmatch(r"(\d+) (.+)", cell) for cell in cells]
    kinds = {part[2] for part in parts if part}
    if all(parts) and len(kinds) == 1:
        return f"{sum(int(part[1]) for part in parts if part)} {kinds.pop()}"
    return ", ".join(dict.fromkeys(cells))
