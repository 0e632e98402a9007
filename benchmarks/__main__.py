"""``python -m benchmarks``: see README.md beside this file."""

import signal
import sys

EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the benchmark, and end in good order when interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        from benchmarks import command  # noqa: PLC0415 - it takes a second, in which Ctrl-C must work, too

        return command.main(sys.argv[1:])
    except KeyboardInterrupt:
        print("bench: interrupted; all processes are ended, all directories removed", flush=True)
        return EXIT_INTERRUPTED


def _interrupt(_number: int, _frame: object) -> None:
    """End at once, but let nothing interrupt the end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
