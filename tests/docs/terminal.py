"""A shell in which a page's blocks are pasted, one behind the other, as a reader does."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

END = "docs: end of block"
FAILED = "docs: failed: "
PAUSE_S = 0.2


class Terminal:
    """One shell; it keeps directory, variables and background jobs between blocks."""

    def __init__(self, shell: "subprocess.Popen[str]") -> None:
        """``shell``: reads from a pipe, writes both outputs to one."""
        assert shell.stdin is not None
        assert shell.stdout is not None
        self._input, self._output = shell.stdin, shell.stdout
        self._paste(f"""set -E; trap 'echo "{FAILED}$BASH_COMMAND"' ERR""")

    def _paste(self, block: str) -> str:
        print(block, f"\necho '{END}'", sep="\n", file=self._input, flush=True)
        return "".join(iter(self._line, END))

    def _line(self) -> str:
        line = self._output.readline()
        assert line, "the shell has ended"
        return line if line.strip() != END else END

    def run(self, block: str) -> str:
        """Run a block to its end; every command in it must succeed."""
        output = self._paste(block)
        assert FAILED not in output, f"{block}\n{output}"
        return output

    def look(self, block: str, shown: str, within_s: float) -> str:
        """Run a block that only looks, again until its output has what the page promises."""
        return self.until(block, lambda output: re.search(shown, output), within_s, wanted=f"not shown: {shown}\n")

    def until(self, block: str, seen: Callable[[str], object], within_s: float, *, wanted: str = "") -> str:
        """Run a block that only looks, again until what should be seen is; ``wanted``: what to say if it never is."""
        deadline = time.monotonic() + within_s
        while not seen(output := self._paste(block)):
            assert time.monotonic() < deadline, f"{block}\n{wanted}{output}"
            time.sleep(PAUSE_S)
        return output


@contextmanager
def terminal(home: Path, variables: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a shell in which the commands are found, in an empty directory that is also its home."""
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with bare_terminal(home, {"HOME": str(home), "PATH": scripts, "NO_COLOR": "1"} | dict(variables)) as opened:
        yield opened


@contextmanager
def bare_terminal(directory: Path, variables: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a shell as people have it, without settings of hasync; whatever was started in it ends with it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HASYNC_")}
    shell = subprocess.Popen(
        [shutil.which("bash") or "bash"],
        cwd=directory,
        env=inherited | {"TMPDIR": str(directory)} | dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Terminal(shell)
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait(10)
        for stream in (shell.stdin, shell.stdout):
            assert stream is not None
            stream.close()
