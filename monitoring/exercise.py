"""Three minutes of a cluster: hand-over, pause, a leader killed, Redis cut off, all killed; and what was alerted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from monitoring.cluster import Cluster
from monitoring.evaluation import Span
from monitoring.load import STREAMS
from monitoring.prometheus import Prometheus

CALM_S: Final = 25.0
AFTER_HAND_OVER_S: Final = 30.0
AFTER_KILL_S: Final = 10.0
CUT: Final = "8s"
AFTER_CUT_S: Final = 15.0
ALERTED_WITHIN_S: Final = 60.0
RESOLVED_WITHIN_S: Final = 30.0
LAST_S: Final = 25.0
SEEN_S: Final = 5.0
"""How long an alert stands before it is judged, so that others could join it."""

WANTED: Final = tuple(("HasyncNoLeader", stream) for stream in sorted(STREAMS))
"""What fires, and only while all instances are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that fired. Times: Unix seconds; ``until``: the last evaluation that had it."""

    name: str
    stream: str
    since: float
    until: float


@dataclass(slots=True)
class Diary:
    """What was done when."""

    clock: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str) -> float:
        """Write it down, show it, and return the moment."""
        now = time.time()
        began = self.clock[0][0] if self.clock else now
        self.clock.append((now, what))
        print(f"{now - began:6.1f} s  {what}", flush=True)
        return now


class Exercise:
    """The three minutes."""

    def __init__(self, cluster: Cluster, prometheus: Prometheus) -> None:
        """Both must run."""
        self._cluster = cluster
        self._prometheus = prometheus
        self.diary = Diary()
        self.faults: list[str] = []

    def run(self) -> Span:
        """Do it all; return the time it took."""
        start = self.diary.note("all stand by")
        time.sleep(CALM_S)
        self._hand_over("orders")
        self._cluster.command("pause", "--stream", "carts", "--wait", "--reason", "exercise")
        self.diary.note("carts paused")
        time.sleep(AFTER_HAND_OVER_S)
        self._kill_leader("orders")
        time.sleep(AFTER_KILL_S)
        self._cluster.command("drill", "cut-redis", "orders", "--for", CUT)
        self.diary.note(f"Redis was cut off from the leader of orders for {CUT}")
        time.sleep(AFTER_CUT_S)
        self._cluster.command("resume", "--stream", "carts", "--wait")
        self.diary.note("carts resumed")
        self._expect((), "hand-over, pause, killed leader and short cut raise no alert", start)
        self._kill_everybody()
        time.sleep(LAST_S)
        return Span(start=start, end=self.diary.note("done"))

    def _hand_over(self, stream: str) -> None:
        before = self._cluster.leader(stream)
        self._cluster.command("switchover", stream, "--wait", "--yes", "--reason", "exercise")
        self.diary.note(f"switchover of {stream}: {before.member} -> {self._cluster.leader(stream).member}")

    def _kill_leader(self, stream: str) -> None:
        victim = self._cluster.leader(stream)
        victim.process.kill()
        self.diary.note(f"{victim.member}, which led {stream}, killed as a whole; its session has to time out")
        successor = self._cluster.leader(stream)
        self.diary.note(f"{successor.member} leads {stream}")
        victim.process.start()

    def _kill_everybody(self) -> None:
        killed = self.diary.note("all instances killed")
        for instance in self._cluster.instances:
            instance.process.kill()
        alerted = self._await(WANTED, ALERTED_WITHIN_S)
        self.diary.note("alerted" if alerted else "NOT ALERTED")
        time.sleep(SEEN_S)
        self._expect(WANTED, "a stream without leader is alerted, and nothing else", killed)
        self._cluster.settle()
        self.diary.note("all are back")
        resolved = self._await((), RESOLVED_WITHIN_S)
        self.diary.note("no alert fires any more" if resolved else "STILL ALERTED")
        if not (alerted and resolved):
            self.faults.append("alerts came too late, or stayed")

    def _await(self, wanted: Sequence[tuple[str, str]], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self._firing_now() == sorted(wanted):
                return True
            time.sleep(0.5)
        return False

    def _firing_now(self) -> list[tuple[str, str]]:
        found = self._prometheus.ask("alerts")["alerts"]
        return sorted(
            (each["labels"]["alertname"], each["labels"].get("stream", ""))
            for each in found
            if each["state"] == "firing"
        )

    def _expect(self, wanted: Sequence[tuple[str, str]], promise: str, since: float) -> None:
        span = Span(start=since, end=time.time())
        found = sorted({(each.name, each.stream) for each in firings(self._prometheus, span)})
        kept = found == sorted(wanted)
        self.diary.note(f"{'kept' if kept else 'BROKEN'}: {promise}: {found or 'none fired'}")
        if not kept:
            self.faults.append(promise)


def firings(prometheus: Prometheus, span: Span) -> list[Firing]:
    """Return every alert that fired in a time, in the order of its beginning."""
    found = prometheus.series('ALERTS{alertstate="firing"}', start=span.start, end=span.end, step_s=1.0)
    return sorted(
        (
            Firing(
                name=one["metric"]["alertname"],
                stream=one["metric"].get("stream", ""),
                since=float(one["values"][0][0]),
                until=float(one["values"][-1][0]),
            )
            for one in found
        ),
        key=lambda firing: firing.since,
    )
