"""A worker that hangs in its third case and crashes in its fifth: for the test of its guard."""

import os
import sys
import time

from tests.fuzz.worker import say


def main(first: int, last: int) -> None:
    """Run cases ``first`` to ``last`` (exclusive)."""
    for number in range(first, last):
        say(begin=number)
        if number == 2:
            time.sleep(600)
        if number == 4:
            os.abort()
    say(outcomes={"equal": last - first}, next=last)


if __name__ == "__main__":
    main(int(sys.argv[2]), int(sys.argv[3]))
