"""Redis' MONITOR: every command that arrives, with its database, as bytes."""

import codecs
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any, Self

_LINE = re.compile(rb"\+[\d.]+ \[(\d+) \S+\] (.*)")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
TIMEOUT_S = 30.0


class Monitor:
    """A connection that hears what a stream sends."""

    def __init__(self, *, host: str, port: int) -> None:
        """Listen from now on."""
        self._socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"MONITOR\r\n")
        assert self._file.readline() == b"+OK\r\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def heard(self) -> Iterator[tuple[int, list[bytes]]]:
        """Give (database, words) of each command as it comes."""
        while line := self._file.readline():
            if found := _LINE.match(line.rstrip(b"\r\n")):
                yield int(found[1]), [codecs.escape_decode(word)[0] for word in _WORD.findall(found[2])]

    def batches_until(self, stream: str, end: tuple[int, int]) -> list[list[bytes]]:
        """Return the commands that the stream's batches hold until its position has reached ``end``."""
        deadline = time.monotonic() + TIMEOUT_S
        state = b"hasync:{%s}:state" % stream.encode()
        home: int | None = None
        pending: dict[int, list[list[bytes]]] = {}
        sent: list[list[bytes]] = []
        for database, words in self.heard():
            assert time.monotonic() < deadline, f"{stream} does not come to {end}"
            verb = words[0].upper()
            if verb == b"MULTI":
                pending[database] = []
            elif verb == b"SET" and words[1] == state:
                home = database
                sent += pending.pop(database, [])
                if place(json.loads(words[2])) >= end:
                    return sent
            elif database in pending and verb not in _FRAME:
                pending[database].append(words)
        raise AssertionError(f"{stream}: Redis has gone (database {home})")


_FRAME = {b"EXEC", b"WATCH", b"GET", b"UNWATCH", b"DISCARD"}


def place(state: dict[str, Any]) -> tuple[int, int]:
    """Return file number and offset of a state; nothing is in front of it as long as it has none."""
    position = state["position"]
    return (int(position["file"].rpartition(".")[2]), int(position["pos"])) if position else (0, 0)
