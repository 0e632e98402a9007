"""The benchmark's command line: servers up, workloads in, contenders in turns, figures out."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pymysql
import redis

from benchmarks import workload as workloads
from benchmarks.contest import Contest
from benchmarks.machine import machine
from benchmarks.results import Result, document, table
from benchmarks.task import Void
from testbed import MissingError, MySql, Redis, StartError, workdir

EXIT_VOID = 1
RESULTS = Path(__file__).with_name("results.json")

TROUBLES = (Void, StartError, MissingError, pymysql.MySQLError, redis.RedisError, OSError)
"""What may go wrong; anything else is a bug of the benchmark and shows its traceback."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Rows per second, binlog to Redis.")
    parser.add_argument("--quick", action="store_true", help="fewer rows, one counted run: shows that it works")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run the benchmark; return its exit code: 0 measured, 1 void. KeyboardInterrupt leaves nothing behind."""
    options = arguments(words)
    try:
        results, where = measure(quick=options.quick)
    except TROUBLES as trouble:
        print(f"bench: VOID: {trouble}", flush=True)
        return EXIT_VOID
    found = document(results, where)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"\n{table(results)}\n\n{json.dumps(where)}\nwritten to {RESULTS.parent.name}/{RESULTS.name}", flush=True)
    return 0


def measure(*, quick: bool) -> tuple[list[Result], dict[str, object]]:
    """Start the servers, hold the contest over each workload, end the servers. Raises any of TROUBLES."""
    chosen, counted = (workloads.QUICK, 1) if quick else (workloads.FULL, 3)
    with workdir() as directory, MySql(directory) as source, Redis(directory) as cache:
        print(f"mysql {source.address}, redis {cache.address}", flush=True)
        where = machine(mysql=str(source.sql("SELECT VERSION()")[0][0]), redis=cache.info("server")["redis_version"])
        workloads.prepare(source)
        contest = Contest(source=source, cache=cache, log=directory / "contender.log")
        return [contest.hold(workload, counted=counted) for workload in chosen], where
