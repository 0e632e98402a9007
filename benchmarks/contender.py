"""``python -m benchmarks.contender NAME TASK``: one run in a process of its own, so that no run inherits anything.

The answer is the last line of standard output. Imports are done before the clock starts.
"""

import sys
from importlib import import_module

from benchmarks.task import Answer, Task

OURS, GO, LIBRARY, READ_LIMIT, WRITE_LIMIT = "hasync", "go", "mysql-replication", "mysqlbinlog", "redis-cli"
CONTENDERS = (OURS, GO, LIBRARY, READ_LIMIT, WRITE_LIMIT)

FUNCTIONS = {
    OURS: "benchmarks.road:run",
    LIBRARY: "benchmarks.library:run",
    READ_LIMIT: "benchmarks.limits:read",
    WRITE_LIMIT: "benchmarks.limits:write",
}
"""Those in Python; the module of the one that runs is imported, and no other."""


def main(name: str, task: Task) -> Answer:
    """Run one contender."""
    module, _, function = FUNCTIONS[name].partition(":")
    answer: Answer = getattr(import_module(module), function)(task)
    return answer


if __name__ == "__main__":
    print(main(sys.argv[1], Task.from_json(sys.argv[2])).to_json())
