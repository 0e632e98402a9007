"""The README's tour, as written there: a newcomer who pastes its blocks sees what it promises."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.failover.fleet import ROOT

TOUR = re.search(r"^## Five minutes$(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
UP = "scripts/setup.sh && .venv/bin/python -m testbed up"
END = "tour: end of block"
FAILED = "tour: failed: "
SEEN_WITHIN_S = 60.0
PAUSE_S = 0.2


class Terminal:
    """A shell that runs one pasted block after the other and returns what each printed."""

    def __init__(self, shell: "subprocess.Popen[str]") -> None:
        assert shell.stdin is not None
        assert shell.stdout is not None
        self._input, self._output = shell.stdin, shell.stdout
        self.paste(f"""trap 'echo "{FAILED}$BASH_COMMAND"' ERR""")

    def paste(self, block: str) -> str:
        """Run the block to its end."""
        print(block, f"echo '{END}'", sep="\n", file=self._input, flush=True)
        return "".join(iter(self._line, END))

    def _line(self) -> str:
        line = self._output.readline()
        assert line, "the shell has ended"
        return line if line.strip() != END else END

    def run(self, block: str) -> str:
        """Run a block of which every command must succeed."""
        output = self.paste(block)
        assert FAILED not in output, output
        return output

    def look(self, block: str, seen: Callable[[str], object]) -> str:
        """Run a block that only looks, until what should be seen is."""
        deadline = time.monotonic() + SEEN_WITHIN_S
        while not seen(output := self.paste(block)):
            assert time.monotonic() < deadline, output
            time.sleep(PAUSE_S)
        return output


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


@contextmanager
def terminal(home: Path) -> Iterator[Terminal]:
    """Open the second terminal; whatever was started in it ends with it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    with subprocess.Popen(
        ["bash"],
        cwd=home,
        env={**environment, "TMPDIR": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            yield Terminal(shell)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


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
    with servers(database) as printed, terminal(tmp_path) as second:
        second.run(next(line for line in printed.splitlines() if line.startswith("export ")))
        second.run(prepare)
        assert "✘" not in second.run(describe)
        second.run(start)
        second.look(status, lambda text: re.search(r"leader +a \(epoch 1\)", text) and re.search(r"b +standby", text))
        second.run(change)
        second.look(keys, lambda text: text.split() == ["250", "name", "lamp", "price", "19.90", "stock", "4"])
        second.run(kill)
        second.look(after, lambda text: re.search(r"leader +b \(epoch 2\)", text) and "\n300\n" in text)
        second.run("kill $b; wait $b")
