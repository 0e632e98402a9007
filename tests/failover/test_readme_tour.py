"""The README's tour, as written there: a newcomer who pastes its blocks sees what it promises."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.terminal import bare_terminal
from tests.failover.fleet import ROOT

TOUR = re.search(r"^## Five minutes$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
UP = "scripts/setup.sh && .venv/bin/python -m testbed up"
SEEN_WITHIN_S = 60.0


@contextmanager
def servers(database: str) -> Iterator[str]:
    """Do what the first terminal does; yield what it prints."""
    command = [sys.executable, "-m", "testbed", "up", "--db", database]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            lines = iter(up.stdout.readline, "")
            yield "".join(iter(lambda: next(lines), "Ctrl-C ends the servers.\n"))
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(30)


@pytest.mark.timeout(170)
@pytest.mark.skipif(shutil.which("mariadb") is None, reason="scripts/setup.sh installs the client")
@pytest.mark.parametrize("database", ["mysql", "mariadb"])
def test_tour_shows_what_the_readme_promises(database: str, tmp_path: Path) -> None:
    """Every block runs as it stands, and after the leader's death the other one goes on."""
    assert TOUR is not None
    assert UP in TOUR[1]
    prepare, describe, start, status, change, keys, kill, after = re.findall(
        r"^```sh\n(.*?)^```$", TOUR[1], re.MULTILINE | re.DOTALL
    )
    with servers(database) as printed, bare_terminal(tmp_path, {}) as second:
        second.run(next(line for line in printed.splitlines() if line.startswith("export ")))
        second.run(prepare)
        assert "✘" not in second.run(describe)
        second.run(start)
        second.until(
            status,
            lambda text: re.search(r"leader +a \(epoch 1\)", text) and re.search(r"b +standby", text),
            SEEN_WITHIN_S,
        )
        second.run(change)
        second.until(
            keys, lambda text: text.split() == ["250", "name", "lamp", "price", "19.90", "stock", "4"], SEEN_WITHIN_S
        )
        second.run(kill)
        second.until(after, lambda text: re.search(r"leader +b \(epoch 2\)", text) and "\n300\n" in text, SEEN_WITHIN_S)
        second.run("kill $b; wait $b")
