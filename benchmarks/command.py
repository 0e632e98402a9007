"""The benchmark's command line: servers up, workloads in, contenders in turns, figures out."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pymysql
import redis

from benchmarks import golang, latency
from benchmarks.arena import Arena
from benchmarks.contender import CONTENDERS, GO, OURS
from benchmarks.contest import Contest
from benchmarks.filling import SERVER, prepare
from benchmarks.machine import machine
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.results import Latency, Outcome
from benchmarks.task import Void
from benchmarks.workload import WORKLOADS
from testbed import MissingError, MySql, Redis, StartError, workdir

EXIT_VOID = 1
RESULTS = Path(__file__).with_name("results.json")

TROUBLES = (Void, StartError, MissingError, pymysql.MySQLError, redis.RedisError, OSError)
"""What may go wrong; anything else is a bug of the benchmark and shows its traceback."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Rows per second, binlog to Redis.")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows and rounds, no large transaction: three minutes"
    )
    parser.add_argument(
        "--only", type=_among(FULL.parts), metavar="PART,...", help=f"these parts alone: {', '.join(FULL.parts)}"
    )
    parser.add_argument("--large", dest="only", action="store_const", const=("large",), help="as --only large")
    parser.add_argument(
        "--contenders",
        type=_among(CONTENDERS),
        default=CONTENDERS,
        metavar="NAME,...",
        help=f"these contenders alone: {', '.join(CONTENDERS)}",
    )
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="where hasync's runs write a cProfile of the stream's thread"
    )
    return parser.parse_args(words)


def _among(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of comma-separated names, which returns them in their usual order."""

    def read(text: str) -> tuple[str, ...]:
        asked = text.split(",")
        if unknown := set(asked) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not among {', '.join(known)}")
        return tuple(name for name in known if name in asked)

    return read


def main(words: Sequence[str]) -> int:
    """Run the benchmark; return its exit code: 0 measured, 1 void. KeyboardInterrupt leaves nothing behind."""
    options = arguments(words)
    plan = QUICK if options.quick else FULL
    try:
        outcome = measure(replace(plan, parts=options.only or plan.parts), options.contenders, options.profile)
    except TROUBLES as trouble:
        print(f"bench: VOID: {trouble}", flush=True)
        return EXIT_VOID
    RESULTS.write_text(json.dumps(outcome.to_json(), indent=2) + "\n", encoding="utf-8")
    print(f"\n{outcome.text()}\n\n{json.dumps(outcome.machine)}", flush=True)
    print(f"written to {RESULTS.parent.name}/{RESULTS.name}", flush=True)
    return 0


def measure(plan: Plan, contenders: Sequence[str], profile: Path | None = None) -> Outcome:
    """Start the servers, measure the plan's parts, end the servers. Raises any of TROUBLES."""
    profile = profile.absolute() if profile else None
    program, not_built = _go_program() if GO in contenders else (None, "")
    able = [name for name in contenders if name != GO or program]
    with workdir() as directory, MySql(directory, options=SERVER) as source, Redis(directory) as cache:
        print(f"mysql {source.address}, redis {cache.address}", flush=True)
        arena = Arena(source=source, cache=cache, directory=directory, program=program, profile=profile)
        where = machine(mysql=str(source.sql("SELECT VERSION()")[0][0]), redis=cache.info("server")["redis_version"])
        prepare(source)
        contest = Contest(arena, able)
        return Outcome(
            machine=where,
            not_built=not_built,
            results=[contest.hold(workload, plan) for name, workload in WORKLOADS.items() if name in plan.parts],
            latencies=_latencies(arena, plan, able) if "latency" in plan.parts else {},
            large=contest.hold_large(plan.large_rows) if "large" in plan.parts and OURS in able else None,
        )


def _go_program() -> tuple[Path | None, str]:
    """Return the contender in Go, or why there is none."""
    try:
        return golang.build(), ""
    except golang.NotBuiltError as reason:
        print(f"{GO}: not built: {reason}", flush=True)
        return None, str(reason)


def _latencies(arena: Arena, plan: Plan, contenders: Sequence[str]) -> dict[str, Latency]:
    found = {}
    for name in (OURS, GO):
        if name in contenders:
            print(f"latency: {name}, {latency.RATE_PER_S} transactions/s for {plan.latency_s:g} s", flush=True)
            found[name] = latency.measure(arena, name, seconds=plan.latency_s)
    return found
