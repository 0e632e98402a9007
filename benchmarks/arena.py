"""What all contests share: servers, directories, and how a contender is run."""

import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from benchmarks.contender import GO, OURS
from benchmarks.task import BINLOG_BEGIN, Answer, Task, Void
from benchmarks.workload import Workload
from hasync.model.state import state_key
from testbed import MySql, Process, Redis

STATE_KEY = state_key("bench")
RUN_WITHIN_S = 300.0
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Servers that run, a directory of this benchmark's own, and the Go program (None: not built).

    ``profile``: where each run of hasync leaves the profile of its stream's thread; None: nowhere.
    """

    source: MySql
    cache: Redis
    directory: Path
    program: Path | None
    profile: Path | None = None

    @property
    def stream(self) -> Path:
        """The file with a workload as Redis commands."""
        return self.directory / "commands.resp"

    def task(self, workload: Workload, *, file: str, end_pos: int, rows: int, start_pos: int = BINLOG_BEGIN) -> Task:
        """Return the task for one workload in one binlog file."""
        return Task(
            host=self.source.host,
            source_port=self.source.port,
            source_user=self.source.reader_user,
            source_password=self.source.reader_password,
            redis_port=self.cache.port,
            file=file,
            start_pos=start_pos,
            end_pos=end_pos,
            workload=workload.name,
            table=workload.table,
            rows=rows,
            stream=str(self.stream),
            scratch=str(self.directory),
        )

    def process(self, name: str, task: Task) -> Process:
        """Return a contender's process, not yet started."""
        profiler = ["-m", "cProfile", "-o", str(self.profile)] if self.profile and name == OURS else []
        python = [sys.executable, *profiler, "-m", "benchmarks.contender", name]
        command = [str(self.program)] if name == GO else python
        log = self.directory / "contender.log"
        log.unlink(missing_ok=True)
        return Process([*command, task.to_json()], log=log, directory=ROOT)

    def run(self, name: str, task: Task) -> Answer:
        """Run a contender to its end and return its answer. Raises Void."""
        process = self.process(name, task)
        try:
            process.start()
            failed = process.wait(RUN_WITHIN_S)
        except TimeoutExpired:
            raise Void(f"{name} did not reach the end within {RUN_WITHIN_S:g} s:\n{process.tail()}") from None
        finally:
            process.kill()
        if failed:
            raise Void(f"{name} failed:\n{process.tail()}")
        answer = Answer.from_json(process.tail(1))
        if answer.rows != task.rows:
            raise Void(f"{name} counts {answer.rows} rows of {task.rows}")
        return answer
