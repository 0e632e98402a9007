"""The server's binlog files, read a second time while the dump goes on."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from hasync.binlog.connection import Latch, Login
from hasync.binlog.dump import Dump, Request
from hasync.binlog.frames import HEADER_BYTES, HEARTBEATS, Event, EventType, checksummed, rotation
from hasync.binlog.place import HEAD
from hasync.binlog.server import Server
from hasync.errors import SourceUnavailable
from hasync.model.position import Flavor

_LAST_DUMPABLE = 0xFFFFFFFF


class Archive(Protocol):
    """What the server keeps. Called from: the reader thread."""

    def files(self) -> Sequence[str]:
        """Return the names of the binlog files, oldest first. Raises SourceUnavailable, SourceRefused."""

    def packets(self, file: str, pos: int) -> Generator[bytes, None, None]:
        """Yield the packets of a dump that begins at ``pos``, no more than 4 GiB into the file.

        Closing the iterator ends the dump. Raises SourceUnavailable, SourceRefused, PositionLost.
        """


def walk(archive: Archive, file: str, pos: int) -> Generator[Event | None, None, None]:
    """Yield a file's events from offset ``pos`` on, to its end; None for each that had to be read to get there.

    A transaction never reaches into the next file. Raises as :meth:`Archive.packets`.
    """
    begin = pos if pos <= _LAST_DUMPABLE else HEAD
    with closing(archive.packets(file, begin)) as packets:
        for event in _framed(packets, file, begin):
            yield event if event.start >= pos else None


def _framed(packets: Iterator[bytes], file: str, end: int) -> Iterator[Event]:
    checksum = False
    for packet in packets:
        kind = packet[5] if len(packet) > HEADER_BYTES else 0
        if kind in HEARTBEATS:
            continue
        if kind == EventType.ROTATE:
            if rotation(packet, end)[1] != file:
                return
            continue
        if kind == EventType.FORMAT_DESCRIPTION:
            checksum = checksummed(packet)
        event = Event(packet, end, checksum=checksum and kind != EventType.FORMAT_DESCRIPTION)
        end = event.stop
        if event.placed and kind != EventType.FORMAT_DESCRIPTION:
            yield event


class ServerArchive:
    """The files of one server, which must still be the one that the first dump is from."""

    def __init__(self, login: Login, latch: Latch, *, flavor: Flavor, identity: str, heartbeat_s: float) -> None:
        self._login = login
        self._latch = latch
        self._flavor = flavor
        self._identity = identity
        self._heartbeat_s = heartbeat_s

    def files(self) -> Sequence[str]:
        """See :meth:`Archive.files`."""
        server = self.connect()
        try:
            return [file.name for file in server.files()]
        finally:
            server.close()

    def packets(self, file: str, pos: int) -> Generator[bytes, None, None]:
        """See :meth:`Archive.packets`."""
        self.connect().close()
        request = Request(flavor=self._flavor, file=file, pos=pos, apart=True)
        dump = Dump(self._login, request, server_id=0, heartbeat_s=self._heartbeat_s, latch=self._latch)
        try:
            while True:
                packet = dump.packet(wait=True)
                if packet is not None:
                    yield packet
        finally:
            dump.close()

    def connect(self) -> Server:
        """Connect to the same server, and no other: file and offset would mean other rows there.

        Raises SourceUnavailable when the address has moved; SourceRefused.
        """
        server = Server(self._login, self._latch)
        if server.identity != self._identity:
            server.close()
            raise SourceUnavailable(f"{self._login.host} is another server now", hint="it is opened anew")
        return server


if TYPE_CHECKING:
    _: type[Archive] = ServerArchive
