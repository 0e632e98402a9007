"""One round: a healthy cluster, a fault at a random phase, healing, convergence, and the verdict."""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import pymysql
import redis

from chaos.audit import compare, demanded, held
from chaos.chain import Violation
from chaos.ears import KEY, state_of
from chaos.faults.fault import TROUBLE, Fault, NotRunError, Scene
from chaos.judge import Baseline, judge, term_changes
from chaos.observer import Observer
from chaos.promise import Promise
from chaos.record import Record
from chaos.workload import Workload
from chaos.world import World
from hasync.model.position import Flavor
from testbed import wait_until

SETTLED_WITHIN_S: Final = 60.0
STEADY: Final = 2
"""So many looks in a row have to find nothing wrong."""
GRACE_S: Final = 30.0
"""A round that is late is watched for so much longer, so that the report can tell late from never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What came out.  ``not_run``: why the fault could not be carried out, empty when it was."""

    number: int
    faults: tuple[str, ...]
    seed: str
    notes: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    not_run: str = ""
    gap_s: float = 0.0
    terms: int = 0
    took_s: float = 0.0
    converged_s: float = 0.0
    commits: int = 0
    judged: int = 0
    at: float = 0.0

    @property
    def verdict(self) -> str:
        """``passed``, ``FAILED`` or ``not run``."""
        if self.not_run:
            return "not run"
        return "FAILED" if self.violations else "passed"


@dataclass(slots=True, kw_only=True)
class Stage:
    """The cluster, its workload and its observer, on which rounds are played."""

    world: World
    workload: Workload
    observer: Observer
    baseline: Baseline = field(default_factory=lambda: Baseline(fds=0, threads=0, rss_mib=0, ephemerals=0))

    def measure(self) -> None:
        """Learn what a healthy cluster uses."""
        record = self.observer.begin()
        self.workload.go()
        time.sleep(2)
        seen = record.standings
        self.baseline = Baseline(
            fds=max(each.fds for each in seen),
            threads=max(each.threads for each in seen),
            rss_mib=max(each.rss_mib for each in seen),
            ephemerals=ephemerals(self.world),
        )

    def play(self, number: int, faults: list[Fault], seed: str) -> Round:
        """Play one round; never raises for what the cluster does."""
        begun = time.monotonic()
        chance = random.Random(seed)
        record = self.observer.begin()
        commits = self.workload.commits
        scene, why = None, ""
        try:
            wait_until("one leads, two stand by", lambda: self.world.settled, timeout_s=SETTLED_WITHIN_S, poll_s=0.2)
            scene = Scene(self.world, self.workload, chance)
            self._suffer(record, scene, faults)
        except NotRunError as cannot:
            why = str(cannot)
        except TROUBLE as error:
            record.trouble = (*record.trouble, f"{type(error).__name__}: {error}")
        promise = _together(faults)
        self._heal(record, scene)
        self._converge(record, promise)
        record.trouble = (*record.trouble, *(scene.trouble if scene else ()))
        record.unseen = self.observer.deaf
        self.observer.end(record)
        violations = judge(record, promise, self.baseline, Flavor(self.world.flavor))
        self.workload.go()
        return Round(
            number=number,
            faults=tuple(fault.name for fault in faults),
            seed=seed,
            notes=tuple(scene.notes) if scene else (),
            violations=tuple(violations),
            not_run=why if not violations else "",
            took_s=time.monotonic() - begun,
            commits=self.workload.commits - commits,
            **figures(record),
        )

    def _suffer(self, record: Record, scene: Scene, faults: list[Fault]) -> None:
        server = self.world.primary()
        record.started = state_of(server.command("GET", KEY)) if server else None
        scene.epoch = record.started.epoch if record.started else 0
        scene.sleep(0.6, 2.0)
        record.fault_at = time.time()
        for fault in faults:
            fault.begin(scene)
            scene.sleep(0, 0.5)
        low, high = max(fault.hold_s for fault in faults)
        scene.sleep(low, high)

    def _heal(self, record: Record, scene: Scene | None) -> None:
        try:
            if scene is not None:
                scene.heal()
        except TROUBLE as error:
            record.trouble = (*record.trouble, f"could not be undone: {type(error).__name__}: {error}")
        record.healed_at = time.time()

    def _converge(self, record: Record, promise: Promise) -> None:
        """Wait until all is as it should be, under load; then stop the load and compare."""
        until = time.monotonic() + promise.budget_s + GRACE_S
        self._await(until, lambda: self.world.settled)
        time.sleep(0.3)
        self.workload.pause()
        whole = 0
        while whole < STEADY and time.monotonic() < until:
            time.sleep(0.3)
            with suppress(redis.RedisError, pymysql.MySQLError, OSError):
                whole = whole + 1 if self._whole(record) else 0
        if whole == STEADY:
            record.converged_at = time.time()
        with suppress(redis.RedisError, OSError):
            server = self.world.primary()
            record.final = state_of(server.command("GET", KEY)) if server else None
            record.final_server = server.name if server else ""
            if record.final:
                self.observer.await_heard(record.final_server, record.final.seq)

    def _await(self, until: float, check: Callable[[], bool]) -> None:
        while time.monotonic() < until and not check():
            time.sleep(0.2)

    def _whole(self, record: Record) -> bool:
        server = self.world.primary()
        if server is None:
            return False
        wanted = demanded(self.world.source)
        difference = compare(wanted, held(server))
        entries = {int(key.removeprefix("entry:")) for key in wanted if key.startswith("entry:")}
        record.lost, record.doubled, record.different = difference.lost, difference.doubled, difference.other
        record.different_keys = difference.keys
        record.unacked = len(self.workload.acked - entries)
        record.leaders = tuple(each.member for each in self.world.instances if each.state == "leader")
        record.ephemerals = ephemerals(self.world)
        calm = self.world.settled and record.ephemerals == self.baseline.ephemerals
        calm = calm and bool(record.dumps) and record.dumps[-1][1] == 1
        calm = calm and all(each.get("/readyz")[0] == 200 for each in self.world.instances)
        return difference.none and calm and not record.unacked


def _together(faults: list[Fault]) -> Promise:
    promise = faults[0].promise
    for fault in faults[1:]:
        promise = promise.with_(fault.promise)
    return promise


def figures(record: Record) -> dict[str, Any]:
    """Return what a report shows of a record."""
    return {
        "gap_s": gap(record),
        "terms": term_changes(record),
        "converged_s": max(0.0, record.converged_at - record.healed_at),
        "judged": sum(line.kind == "write" for lines in record.heard.values() for line in lines),
        "at": record.began,
    }


def gap(record: Record) -> float:
    """Return the longest pause of writes that began no earlier than a moment before the fault, in seconds."""
    times = sorted(
        line.at for lines in record.heard.values() for line in lines if line.kind == "write" and not line.role
    )
    near = [at for at in times if at >= record.fault_at - 0.5]
    return max((later - earlier for earlier, later in pairwise(near)), default=0.0)


def ephemerals(world: World) -> int:
    """Return how many ephemeral znodes there are; a large number while no ZooKeeper serves."""
    for member in world.ensemble:
        with suppress(OSError):
            if found := re.search(r"zk_ephemerals_count\s+(\d+)", member.four_letters("mntr")):
                return int(found[1])
    return 1_000_000
