"""The process in which cases run, so that a crash, a hang or a greedy allocation takes nothing else with it.

It prints a line before each case and one for each finding; its parent (:mod:`tests.fuzz.guard`) reads them.
"""

import faulthandler
import json
import resource
import sys
import time
from collections import Counter

from tests.fuzz.cases import case_of, run
from tests.fuzz.corpus import everything

MOST_BYTES = 1 << 30
"""Address space: a length that a mutation made huge must be refused, not allocated."""


def main(seed: str, first: int, last: int, seconds: float) -> None:
    """Run cases ``first`` to ``last`` (exclusive), at most for so long, and say what became of them."""
    faulthandler.enable()
    scenes = everything()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + seconds
    number = first
    while number < last and time.monotonic() < until:
        say(begin=number)
        outcome, findings = run(case_of(scenes, seed, number))
        outcomes[outcome] += 1
        for finding in findings:
            say(case=number, kind=finding.kind, detail=finding.detail)
        number += 1
    say(outcomes=outcomes, next=number)


def say(**line: object) -> None:
    """Tell the guard."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
