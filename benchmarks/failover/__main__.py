"""Hand over, kill, and freeze, again and again, and print how long nothing was written."""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.failover.figures import Budget, Figures, table
from benchmarks.failover.fleet import Fleet, Instance, environment
from benchmarks.failover.load import Load
from benchmarks.failover.watch import Watch
from testbed import wait_until
from testbed.bed import Testbed

SETTLED_S = 0.3
CAUGHT_UP_WITHIN_S = 120.0


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=__doc__)
    parser.add_argument("--switchovers", type=int, default=50, help="hand-overs to the next instance, by the command")
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs of the leading worker")
    parser.add_argument("--together", type=int, default=30, help="SIGKILLs of supervisor and worker together")
    parser.add_argument("--stops", type=int, default=30, help="SIGSTOPs of the leading worker")
    parser.add_argument("--rate", type=int, default=2000, help="transactions per second")
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--session-timeout", type=float, default=10.0, metavar="S")
    parser.add_argument("--heartbeat", type=float, default=5.0, metavar="S", help="budget of a silent worker")
    parser.add_argument("--logs", type=Path, help="keep the instances' logs in this directory")
    return parser.parse_args(words)


def gaps(fleet: Fleet, watch: Watch, fault: Callable[[Instance], None], count: int, within_s: float) -> list[float]:
    """Do it to the leader ``count`` times; return the write gaps in seconds."""
    found = []
    for number in range(count):
        victim = fleet.settle()
        time.sleep(SETTLED_S)
        epoch = watch.last.epoch
        fault(victim)
        gap = wait_until("a successor writes", partial(watch.gap_after, epoch), timeout_s=within_s, poll_s=0.005)
        found.append(gap)
        print(f"  {number + 1}/{count}  {victim.member}  epoch {watch.last.epoch}  {gap * 1000:.0f} ms", flush=True)
    return found


def audit(load: Load, bed: Testbed) -> tuple[int, int]:
    """Return how many changes were lost and doubled, once the stream has caught up."""
    demanded = load.demanded()

    def held() -> dict[int, int]:
        with bed.redis.client() as client:
            values = client.mget([f"count:{number}" for number in demanded])
        return {number: int(value or 0) for number, value in zip(demanded, values, strict=True)}

    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while (found := held()) != demanded and time.monotonic() < deadline:
        time.sleep(0.1)
    lost = sum(max(0, demanded[number] - found[number]) for number in demanded)
    doubled = sum(max(0, found[number] - demanded[number]) for number in demanded)
    return lost, doubled


def faults(asked: argparse.Namespace, fleet: Fleet) -> list[tuple[str, Callable[[Instance], None], int, Budget]]:
    """Return each kind of fault with its name, how often it is wanted, and what is promised of it."""
    return [
        ("switchover", fleet.hand_over, asked.switchovers, Budget(p99_s=0.25)),
        ("SIGKILL worker", Instance.kill_worker, asked.kills, Budget(p50_s=0.15, p99_s=1.0)),
        ("SIGKILL both", Instance.kill_both, asked.together, Budget(p99_s=asked.session_timeout + 1)),
        ("SIGSTOP worker", Instance.stop_worker, asked.stops, Budget(p99_s=asked.heartbeat + 1)),
    ]


def suffer(asked: argparse.Namespace, fleet: Fleet, watch: Watch) -> list[Figures]:
    """Go through all kinds of faults."""
    within_s = asked.session_timeout + asked.heartbeat + 30
    figures = []
    for name, fault, count, budget in faults(asked, fleet):
        if count:
            print(f"{name}, {count} times:", flush=True)
            found = gaps(fleet, watch, fault, count, within_s)
            figures.append(Figures(fault=name, gaps_s=tuple(found), budget=budget))
    return figures


def run(asked: argparse.Namespace, bed: Testbed, fleet: Fleet, load: Load) -> bool:
    """Measure, audit and print; whether every budget is kept and nothing was lost or doubled."""
    with Watch(bed.redis) as watch:
        fleet.settle()
        with load:
            wait_until("the first write", lambda: bool(watch.writes), timeout_s=30)
            begun = time.monotonic()
            figures = suffer(asked, fleet, watch)
            seconds = time.monotonic() - begun
    if load.error:
        raise load.error
    lost, doubled = audit(load, bed)
    print(f"\nwrite gap in ms, session timeout {asked.session_timeout:g} s, {asked.instances} instances, ", end="")
    print(f"{load.committed / seconds:.0f} transactions/s over {seconds:.0f} s")
    print(table(figures))
    print(f"transactions {load.committed}  lost {lost}  doubled {doubled}")
    print(fleet.steps())
    return not lost and not doubled and all(each.kept for each in figures)


def main() -> int:
    """Run it; return the exit code."""
    asked = arguments()
    with Testbed() as bed:
        load = Load(bed.database, per_s=asked.rate)
        settings = environment(bed, session_timeout_s=asked.session_timeout, heartbeat_s=asked.heartbeat)
        fleet = Fleet(bed, size=asked.instances, settings=settings)
        try:
            return 0 if run(asked, bed, fleet, load) else 1
        finally:
            fleet.close()
            if asked.logs:
                asked.logs.mkdir(parents=True, exist_ok=True)
                for log in bed.directory.glob("*.log"):
                    (asked.logs / log.name).write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
