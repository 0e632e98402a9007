"""From a commit to its key in Redis, at a steady 200 transactions per second.

Two processes, so that neither waits for the other's interpreter lock: the writer (``python -m
benchmarks.latency TASK SECONDS``) commits on schedule, late ones without delay, so that a
stall is not left out of the figures; this one asks Redis for the next key, again and again,
from just before its commit until it is there. Both read the same clock, CLOCK_MONOTONIC.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import IO, cast

import pymysql

from benchmarks.arena import ROOT, Arena
from benchmarks.filling import create
from benchmarks.results import Latency
from benchmarks.task import SCHEMA, Task, Void
from benchmarks.workload import LATENCY
from testbed import Process
from testbed.sql import SqlServer

RATE_PER_S = 200
WARM_UP_S = 1.0
VISIBLE_WITHIN_S = 20.0
_PERCENTILES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """When each commit was sent and acknowledged, by number; seconds of the monotonic clock."""

    sent_s: list[float]
    acknowledged_s: list[float]


def measure(arena: Arena, name: str, *, seconds: float) -> Latency:
    """Let a contender follow the binlog and measure how far behind it is. Raises Void."""
    file, position = create(arena.source, LATENCY)
    arena.cache.command("FLUSHALL")
    task = arena.task(LATENCY, file=file, start_pos=position, end_pos=0, rows=0)
    contender = arena.process(name, task)
    try:
        contender.start()
        poll = Poll(arena, contender)
        arena.source.sql(f"INSERT INTO {SCHEMA}.{LATENCY.table} VALUES (0, '', 0, NULL)")
        poll.seen_s(0)  # now the contender is there
        commits, seen_s = _follow(poll, task, int((seconds + WARM_UP_S) * RATE_PER_S))
        poll.close()
    finally:
        contender.kill()
    return latency(commits, seen_s, statistics.median(poll.asked_s))


def latency(commits: Commits, seen_s: list[float], resolution_s: float) -> Latency:
    """Return the percentiles, without the first second. A key seen before the acknowledgement was not late: 0."""
    first = int(WARM_UP_S * RATE_PER_S)
    pairs = list(zip(commits.sent_s, commits.acknowledged_s, seen_s, strict=True))[first:]
    waits = _percentiles([max(0.0, seen - acknowledged) for _, acknowledged, seen in pairs])
    from_send = _percentiles([seen - sent for sent, _, seen in pairs])
    return Latency(
        p50=waits[49],
        p99=waits[98],
        p50_from_send=from_send[49],
        p99_from_send=from_send[98],
        resolution=resolution_s * 1000,
        transactions=len(pairs),
    )


def _percentiles(seconds: list[float]) -> list[float]:
    return [value * 1000 for value in statistics.quantiles(seconds, n=_PERCENTILES, method="inclusive")]


class Poll:
    """Asks Redis for one key after the other, as fast as it answers."""

    def __init__(self, arena: Arena, contender: Process) -> None:
        """Connect. Raises OSError."""
        self._socket = socket.create_connection((arena.cache.host, arena.cache.port), timeout=VISIBLE_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._contender = contender
        self.asked_s: list[float] = []

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def seen_s(self, number: int) -> float:
        """Ask until the row's key is there; return when that was. Raises Void when that takes too long."""
        key = b"user:balance:%d" % number
        question = b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key)
        asked = began = time.monotonic()
        while True:
            self._socket.sendall(question)
            missing = self._socket.recv(64).startswith(b"$-1")
            now = time.monotonic()
            self.asked_s.append(now - asked)
            if not missing:
                return now
            if now - began > VISIBLE_WITHIN_S or not self._contender.running:
                raise Void(f"row {number} does not come to Redis:\n{self._contender.tail()}")
            asked = now


def _follow(poll: Poll, task: Task, transactions: int) -> tuple[Commits, list[float]]:
    """Have rows 1, 2, ... committed; return when they were, and when each was seen."""
    command = [sys.executable, "-m", "benchmarks.latency", task.to_json(), str(transactions)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        start_new_session=True,  # or a Ctrl-C on the terminal would reach it, too, and show its traceback
    ) as writer:
        lines = cast("IO[str]", writer.stdout)
        try:
            seen_s = [poll.seen_s(_announced(lines, number)) for number in range(1, transactions + 1)]
            return Commits(**json.loads(lines.readline())), seen_s
        finally:
            writer.kill()


def _announced(lines: IO[str], number: int) -> int:
    if lines.readline() != f"{number}\n":
        raise Void("the writer of the latency's transactions failed")
    return number


def write(task: Task, transactions: int) -> Commits:
    """Commit one row after the other on schedule, each announced on standard output just before."""
    sent_s, acknowledged_s = [], []
    with pymysql.connect(
        host=task.host,
        port=task.source_port,
        user=SqlServer.root_user,
        password=SqlServer.root_password,
        ssl_disabled=True,
    ) as connection:
        began = time.monotonic()
        for number in range(1, transactions + 1):
            time.sleep(max(0.0, began + number / RATE_PER_S - time.monotonic()))
            connection.query(f"INSERT INTO {SCHEMA}.{task.table} VALUES ({number}, 'user{number}', {number}, NOW())")
            print(number, flush=True)
            sent_s.append(time.monotonic())
            connection.commit()
            acknowledged_s.append(time.monotonic())
    return Commits(sent_s=sent_s, acknowledged_s=acknowledged_s)


if __name__ == "__main__":
    print(json.dumps(asdict(write(Task.from_json(sys.argv[1]), int(sys.argv[2])))), flush=True)
