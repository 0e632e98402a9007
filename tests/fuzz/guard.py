"""Runs workers one after another until the time is up, and takes a crash or a hang for a finding of its case."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
CASE_S = 30.0
"""A case takes milliseconds; on a machine that is busy with other things, still less than this."""
CASES_PER_WORKER = 20_000
KEPT_PER_KIND = 5


@dataclass(slots=True)
class Report:
    """What became of all cases: how many ended how, and per kind of finding how many and the first of them."""

    seed: str
    worker: str
    case_s: float
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, kind: str, case: int, detail: str) -> None:
        """Take a finding in."""
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < KEPT_PER_KIND:
            kept.append((case, detail))

    def lines(self) -> Iterator[str]:
        """Say it, and how to see each example again."""
        yield f"seed {self.seed}: {self.cases} cases, {dict(self.outcomes)}"
        for kind, count in self.counts.most_common():
            yield f"  {count} x {kind}"
            for case, detail in self.examples[kind]:
                yield f"      python -m tests.fuzz --seed {self.seed} --case {case}   # {detail[:300]}"


def fuzz(
    seed: str,
    seconds: float,
    *,
    first: int = 0,
    last: int = 1 << 62,
    worker: str = "tests.fuzz.worker",
    case_s: float = CASE_S,
) -> Report:
    """Run cases until the time is up, or the last was run. ``worker``: the module that runs them."""
    report = Report(seed, worker=worker, case_s=case_s)
    until = time.monotonic() + seconds
    number = first
    while number < last and (left := until - time.monotonic()) > 0:
        number = _worker(report, number, min(last, number + CASES_PER_WORKER), left)
    report.cases = number - first
    return report


def _worker(report: Report, first: int, last: int, seconds: float) -> int:
    """Run one worker; return the number of the next case."""
    arguments = [report.seed, str(first), str(last), str(seconds)]
    command = [sys.executable, "-W", "error", "-m", report.worker, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        errors: list[str] = []
        threads = [
            threading.Thread(target=_listen, args=(process.stdout, said), daemon=True),
            threading.Thread(target=lambda pipe: errors.append(pipe.read()), args=(process.stderr,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        number, hung = _follow(report, said, first)
        if hung:
            process.kill()
        for thread in threads:
            thread.join(10)
        if hung:
            report.add("hang", number, f"no end after {report.case_s} s")
        elif process.wait() != 0:
            report.add("crash", number, f"exit {process.returncode}: {''.join(errors)[-2000:]}")
        else:
            return number
    return number + 1


def _listen(pipe: IO[str], said: "queue.Queue[dict[str, Any] | None]") -> None:
    for line in pipe:
        said.put(json.loads(line))
    said.put(None)


def _follow(report: Report, said: "queue.Queue[dict[str, Any] | None]", number: int) -> tuple[int, bool]:
    """Take in what a worker says; return the case that it ended in or stands before, and whether it hangs."""
    while True:
        try:
            line = said.get(timeout=report.case_s)
        except queue.Empty:
            return number, True
        if line is None:
            return number, False
        if "begin" in line:
            number = line["begin"]
        elif "kind" in line:
            report.add(line["kind"], line["case"], line["detail"])
        else:
            report.outcomes.update(line["outcomes"])
            number = line["next"]
