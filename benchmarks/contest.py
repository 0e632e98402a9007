"""The contenders in turns over the same binlog, each run followed by an audit of all rows."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.arena import STATE_KEY, Arena
from benchmarks.audit import audit, set_out
from benchmarks.contender import LIBRARY, OURS, READ_LIMIT
from benchmarks.filling import CHUNK_ROWS, Chunk, chunks, fill
from benchmarks.plan import Plan
from benchmarks.results import Large, Result
from benchmarks.task import Answer, Task
from benchmarks.workload import LARGE, Workload


class Contest:
    """Runs one workload after the other, with the contenders of these names."""

    def __init__(self, arena: Arena, contenders: Sequence[str]) -> None:
        self._arena = arena
        self._contenders = contenders

    def hold(self, workload: Workload, plan: Plan) -> Result:
        """Fill the binlog and let all contenders apply it: some runs to warm up, some that count. Raises Void."""
        size = plan.sizes[workload.name]
        print(f"{workload.name}: {size.rows} rows, {workload.event_rows} per transaction", flush=True)
        file, end_pos = fill(self._arena.source, workload, size.rows)
        task = self._arena.task(workload, file=file, end_pos=end_pos, rows=size.rows)
        expected = list(chunks(self._arena.source, workload))
        self._arena.stream.write_bytes(b"".join(chunk.commands for chunk in expected))
        result = Result(workload=workload.name, rows=size.rows, runs={name: [] for name in self._contenders})
        for turn in _turns(plan):
            for name in self._order(turn):
                asked = replace(task, rows=size.slow_rows) if name == LIBRARY else task
                answer = self._run(name, asked, workload, expected)
                self._note(result, name, answer, counts=turn >= plan.warm_ups)
        return result

    def hold_large(self, rows: int) -> Large:
        """Let hasync apply one transaction of that many rows. Raises Void."""
        print(f"large: {rows} rows in one transaction", flush=True)
        source, cache = self._arena.source, self._arena.cache
        file, end_pos = fill(source, LARGE, rows)
        cache.command("FLUSHALL")
        answer = self._arena.run(OURS, self._arena.task(LARGE, file=file, end_pos=end_pos, rows=rows))
        print(f"  {OURS:<18}{answer.rows_per_s:>9,.0f} rows/s, {answer.peak_rss_mb:.0f} MB", flush=True)
        audit(cache, chunks(source, LARGE), keys_left=LARGE.keys_left, state_key=STATE_KEY)
        return Large(rows=rows, rows_per_s=answer.rows_per_s, peak_rss_mb=answer.peak_rss_mb)

    @staticmethod
    def _note(result: Result, name: str, answer: Answer, *, counts: bool) -> None:
        print(f"  {name:<18}{answer.rows_per_s:>9,.0f} rows/s{'' if counts else '  (warm-up)'}", flush=True)
        if counts:
            result.runs[name].append(answer.rows_per_s)
            result.peaks_rss_mb[name] = max(answer.peak_rss_mb, result.peaks_rss_mb.get(name, 0.0))

    def _order(self, turn: int) -> list[str]:
        """Return the contenders; every other turn backwards, so that none always comes after the same one."""
        return list(reversed(self._contenders)) if turn % 2 else list(self._contenders)

    def _run(self, name: str, task: Task, workload: Workload, expected: Sequence[Chunk]) -> Answer:
        if name == READ_LIMIT:
            return self._arena.run(name, task)
        begun = _first(expected, task.rows)
        set_out(self._arena.cache, begun)
        answer = self._arena.run(name, task)
        audit(self._arena.cache, begun, keys_left=workload.keys_left, state_key=STATE_KEY)
        return answer


def _turns(plan: Plan) -> Iterator[int]:
    """Return the rounds' numbers, as long as another one may begin."""
    yield from range(plan.warm_ups)
    until = time.monotonic() + plan.round_s
    for turn in range(plan.warm_ups, plan.warm_ups + plan.counted):
        if turn == plan.warm_ups or time.monotonic() < until:
            yield turn


def _first(expected: Sequence[Chunk], rows: int) -> Sequence[Chunk]:
    """Return the chunks of the first rows."""
    return expected[: rows // CHUNK_ROWS]
