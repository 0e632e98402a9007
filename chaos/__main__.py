"""``python -m chaos``: faults in seeded random order; exit code 0 when every invariant held in every round."""

import argparse
import itertools
import logging
import os
import random
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from chaos import network
from chaos.catalog import ALL, SHORT, faults
from chaos.faults.machine import sweep
from chaos.report import save, table
from chaos.run import Plan, play
from chaos.schedule import again, turns
from testbed import DATABASES


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; ends with 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800, help="begin no round after so many (1800)")
    parser.add_argument("--rounds", type=int, default=0, help="play no more than so many")
    parser.add_argument("--seed", default="", help="of the order and of all that is drawn (a random one)")
    parser.add_argument("--only", default="", metavar="F5,F2xF20", help="faults and pairs to draw from (all)")
    parser.add_argument("--short", action="store_true", help=f"one round each of {', '.join(SHORT)}")
    parser.add_argument("--repeat", default="", metavar="SEED", help="play one round of a report again")
    parser.add_argument("--db", choices=sorted(DATABASES), default="mysql")
    parser.add_argument("--report", type=Path, default=Path("chaos-report"), help="folder of the report (chaos-report)")
    asked = parser.parse_args(words)
    try:
        asked.names = SHORT if asked.short else tuple(asked.only.split(",")) if asked.only else ALL
        asked.again = again(asked.repeat) if asked.repeat else None
        for name in (*asked.names, *([asked.again.faults] if asked.again else [])):
            faults(name)
    except ValueError as error:
        parser.error(str(error))
    return asked


def plan(asked: argparse.Namespace) -> Plan:
    """Return what was asked for."""
    seed = asked.seed or str(random.SystemRandom().randrange(10**6))
    rounds = len(asked.names) if asked.short else asked.rounds or None
    order = iter([asked.again]) if asked.again else itertools.islice(turns(seed, asked.names), rounds)
    folder = asked.report.resolve()
    return Plan(seed=seed, database=asked.db, seconds=asked.seconds, turns=order, folder=folder)


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave in order on a signal: everything that was started is ended, and what was is reported."""
    raise KeyboardInterrupt


def main() -> int:
    """Run it; return the exit code."""
    asked = arguments()
    if lacking := network.missing():
        print(lacking, file=sys.stderr)
        return 69  # EX_UNAVAILABLE
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # our own clients lose what we take away
    network.enter()
    sweep()
    chosen = plan(asked)
    print(f"seed {chosen.seed}, {chosen.database}, process {os.getpid()}", flush=True)
    report = play(chosen)
    save(report, chosen.folder)
    print(f"\n{table(report)}\nreport: {chosen.folder / 'report.html'}", flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
