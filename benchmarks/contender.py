"""``python -m benchmarks.contender NAME TASK``: one run in a process of its own, so that no run inherits anything.

The answer is the last line of standard output. Imports are done before the clock starts.
"""

import sys
from importlib import import_module

from benchmarks.task import Answer, Task

CONTENDERS = {"hasync": "benchmarks.road", "mysql-replication": "benchmarks.library"}
"""Names and the modules whose ``run`` does the work; only the one that runs is imported."""


def main(name: str, task: Task) -> Answer:
    """Run one contender."""
    answer: Answer = import_module(CONTENDERS[name]).run(task)
    return answer


if __name__ == "__main__":
    print(main(sys.argv[1], Task.from_json(sys.argv[2])).to_json())
