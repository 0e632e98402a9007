"""Hears everything that is written to the state key of one Redis, in order: MONITOR, with looks in between.

A look is `MULTI ROLE GET ECHO EXEC` on another connection; MONITOR shows it at its place among the writes, so what is
known of the server does not depend on the two connections being in step.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import orjson
import redis

from chaos.instances import STREAM
from chaos.record import Heard, State
from hasync.model.state import state_key
from testbed import Redis

KEY: Final = state_key(STREAM)
LINE: Final = re.compile(rb'^\+(\d+\.\d+) \[\d+ ([^\]]*?)(?::\d+)?\] "(\w+)" "(.*)"\r\n$')
LOOK_S: Final = 0.1
AGAIN_S: Final = 0.1


def state_of(raw: bytes | None) -> State | None:
    """Read the state key's content."""
    if not raw:
        return None
    document = orjson.loads(raw)
    place = document["position"] or {}
    return State(epoch=int(document["epoch"]), seq=int(document["seq"]), gtid_set=str(place.get("gtid_set", "")))


def heard(line: bytes) -> tuple[str, Heard] | None:
    """Return what one line of MONITOR tells: the token of a look, or "" and a write; None: nothing of interest."""
    found = LINE.match(line)
    if found is None:
        return None
    at, peer, verb, rest = float(found[1]), found[2].decode(), found[3].upper(), found[4]
    if verb == b"ECHO":
        return rest.decode(), Heard(kind="look", at=at)
    if verb in {b"FLUSHALL", b"FLUSHDB"} or (verb in {b"DEL", b"UNLINK"} and KEY.encode() in rest.split(b'" "')):
        return "", Heard(kind="gone", at=at, peer=peer)
    key, _, value = rest.partition(b'" "')
    if verb == b"SET" and key == KEY.encode():
        text = value.partition(b'}" "')[0]  # no options are expected; they would stand behind
        return "", Heard(
            kind="write", at=at, peer=peer, state=state_of(text.replace(b'\\"', b'"').replace(b"\\\\", b"\\"))
        )
    return None


class Ear:
    """Listens to one server, reconnecting by itself, until `close`.  ``heard``: everything since `begin`."""

    def __init__(self, server: Redis) -> None:
        """Begin to listen."""
        self.server = server
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._heard: list[Heard] = []
        self._looks: dict[str, tuple[str, State | None]] = {}
        self.last_heard = 0.0
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=f"{work.__name__}-{server.name}", daemon=True)
            for work in (self._listen, self._look)
        ]
        for thread in self._threads:
            thread.start()

    def begin(self) -> None:
        """Forget what was heard, and begin anew."""
        with self._lock:
            self._heard.clear()
            self._looks = dict(list(self._looks.items())[-20:])

    def take(self) -> list[Heard]:
        """Return what was heard; looks whose answer never came are left out."""
        with self._lock:
            lines = list(self._heard)
            looks = dict(self._looks)
        resolved = []
        for line in lines:
            if line.kind == "look":
                if line.peer not in looks:
                    continue
                role, state = looks[line.peer]
                resolved.append(Heard(kind="look", at=line.at, role=role, state=state))
            else:
                resolved.append(line)
        return resolved

    @property
    def highest(self) -> int:
        """The highest sequence heard in this round."""
        return max((line.state.seq for line in self.take() if line.state), default=0)

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        for thread in self._threads:
            thread.join(3)

    def _work(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(AGAIN_S):
            with suppress(redis.RedisError, OSError, ValueError):
                work()

    def _listen(self) -> None:
        with socket.create_connection((self.server.host, self.server.port), timeout=1) as connection:
            connection.sendall(b"MONITOR\r\n")
            self._note(Heard(kind="deaf", at=time.time()))
            try:
                self._hear_all(connection)
            finally:
                self._note(Heard(kind="deaf", at=time.time()))

    def _hear_all(self, connection: socket.socket) -> None:
        rest = b""
        while not self._stop.is_set():
            try:
                chunk = connection.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(line + b"\n")

    def _hear(self, line: bytes) -> None:
        found = heard(line)
        if found is None:
            return
        token, event = found
        if event.kind == "look":
            self.last_heard = time.time()
            event = Heard(kind="look", at=event.at, peer=token)
        self._note(event)

    def _note(self, event: Heard) -> None:
        with self._lock:
            self._heard.append(event)

    def _look(self) -> None:
        with self.server.client(socket_timeout=1) as client:
            while not self._stop.wait(LOOK_S):
                token = f"look-{time.time_ns()}"
                with client.pipeline(transaction=True) as pipe:
                    pipe.execute_command("ROLE")
                    pipe.get(KEY)
                    pipe.echo(token)
                    role, raw, _ = pipe.execute()
                with self._lock:
                    self._looks[token] = (
                        role[0].decode() if isinstance(role[0], bytes) else str(role[0]),
                        state_of(raw),
                    )
