"""The contenders in turns over the same binlog, each run followed by an audit of all keys."""

import sys
from pathlib import Path
from subprocess import TimeoutExpired

from benchmarks.contender import CONTENDERS
from benchmarks.results import Result
from benchmarks.task import Answer, Task, Void
from benchmarks.workload import Workload, audit, fill
from hasync.model.state import state_key
from testbed import MySql, Process, Redis

RUN_WITHIN_S = 120.0
_ROOT = Path(__file__).resolve().parent.parent


class Contest:
    """Runs one workload after the other. ``log``: where the contenders' output goes."""

    def __init__(self, *, source: MySql, cache: Redis, log: Path) -> None:
        self._source = source
        self._cache = cache
        self._log = log

    def hold(self, workload: Workload, *, counted: int) -> Result:
        """Fill the binlog and let all contenders apply it, once to warm up and ``counted`` times. Raises Void."""
        task = self._task(*fill(self._source, workload))
        print(f"{workload.name}: {workload.rows} rows, {workload.event_rows} per transaction", flush=True)
        runs: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        for turn in range(counted + 1):
            for name in self._order(turn):
                rate = self._run(name, task, workload)
                print(f"  {name:<18}{rate:>9,.0f} rows/s{'' if turn else '  (warm-up)'}", flush=True)
                if turn:
                    runs[name].append(rate)
        return Result(workload=workload.name, rows=workload.rows, runs=runs)

    @staticmethod
    def _order(turn: int) -> list[str]:
        """Return the contenders; every other turn backwards, so that none always comes after the same one."""
        return list(CONTENDERS) if turn % 2 else list(reversed(CONTENDERS))

    def _task(self, file: str, end_pos: int) -> Task:
        return Task(
            host=self._source.host,
            source_port=self._source.port,
            source_user=self._source.reader_user,
            source_password=self._source.reader_password,
            redis_port=self._cache.port,
            file=file,
            end_pos=end_pos,
        )

    def _run(self, name: str, task: Task, workload: Workload) -> float:
        with self._cache.client() as client:
            client.flushall()
            answer = self._answer(name, task)
            if answer.rows != workload.rows:
                raise Void(f"{name} counts {answer.rows} rows of {workload.rows}")
            audit(self._source, client, state_key=state_key("bench"))
        return answer.rows / answer.seconds

    def _answer(self, name: str, task: Task) -> Answer:
        self._log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.contender", name, task.to_json()]
        process = Process(command, log=self._log, directory=_ROOT)
        try:
            process.start()
            failed = process.wait(RUN_WITHIN_S)
        except TimeoutExpired:
            raise Void(f"{name} did not reach the binlog's end within {RUN_WITHIN_S:g} s:\n{process.tail()}") from None
        finally:
            process.kill()
        if failed:
            raise Void(f"{name} failed:\n{process.tail()}")
        return Answer.from_json(process.tail(1))
