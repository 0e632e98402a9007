"""The source of row changes: finds a server, proves the position on it, and reads its dump."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hasync.binlog import preflight
from hasync.binlog.archive import ServerArchive
from hasync.binlog.connection import Latch, Login, Tls
from hasync.binlog.dump import Dump, Request
from hasync.binlog.frames import EventType
from hasync.binlog.layouts import Layouts
from hasync.binlog.schemahistory import SchemaHistory
from hasync.binlog.schemarecords import ServerRecords
from hasync.binlog.schematracker import SchemaTracker
from hasync.binlog.segments import Limits
from hasync.binlog.server import Server
from hasync.binlog.spots import Reading, Spot, spot
from hasync.binlog.starting import Plan, plan
from hasync.binlog.transactions import Transactions
from hasync.errors import Fatal, HasyncError, SourceUnavailable
from hasync.model.change import Interest, Segment
from hasync.model.position import Flavor, Position, Start
from hasync.model.secret import Password
from hasync.ports import ChangeSource, Clock

_MIB = 1 << 20

GATHER_S = 0.05
"""Longest gathering of whole transactions into one segment while more bytes are waiting.

Far behind, a full segment takes a slow machine a second to decode; Redis would stand still as long.
"""


@dataclass(slots=True)
class _Stream:
    """What belongs to one dump."""

    dump: Dump
    transactions: Transactions


@dataclass(slots=True)
class _Failures:
    """Why each host could not be read from."""

    errors: list[HasyncError] = field(default_factory=list)

    def outcome(self) -> HasyncError:
        """Return what to tell: fatal only when every host was reached, else another may still do."""
        away = [error for error in self.errors if not isinstance(error, Fatal)]
        if len(self.errors) == 1 or not away:
            return self.errors[0]
        return SourceUnavailable(
            "; ".join(error.message for error in self.errors),
            hint="; ".join(error.hint for error in self.errors if error.hint),
        )


class BinlogSource:
    """Reads one stream's changes from the first of its hosts that can give them.

    ``server_id`` poses as a replica's and must be this stream's own: a second reader with
    the same one ends the first (TermEnded), which is wanted between instances of one
    stream and never between streams. ``max_rows``/``max_bytes`` bound a segment; a larger
    transaction is cut. ``heartbeat_s``: an idle server is heard that often; three
    missed ones count as a lost connection.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        user: str,
        password: str | Password,
        clock: Clock,
        server_id: int,
        connect_timeout_s: float = 5.0,
        heartbeat_s: float = 1.0,
        max_rows: int = 2000,
        max_bytes: int = 4 * _MIB,
        tls: Tls | None = None,
    ) -> None:
        self._logins = [
            Login(host=host, user=user, password=password, connect_timeout_s=connect_timeout_s, tls=tls or Tls())
            for host in hosts
        ]
        self._clock = clock
        self._server_id = server_id
        self._heartbeat_s = heartbeat_s
        self._limits = Limits(max_rows=max_rows, max_bytes=max_bytes)
        self._latch = Latch()
        self._stream: _Stream | None = None
        self._interest: Interest | None = None
        self._following = threading.Lock()
        """Held while a new stream takes the interest over: one that is given meanwhile must not be lost."""
        self.host = ""
        """The server that is read, empty when none is."""

    def open(self, start: Start | Position, interest: Interest) -> Position:
        """See :meth:`hasync.ports.ChangeSource.open`. Hosts are tried in the given order, each time anew."""
        self._drop()
        with self._following:
            self._interest = interest
        failures = _Failures()
        for login in self._logins:
            self._latch.check()
            try:
                return self._open_on(login, start)
            except (SourceUnavailable, Fatal) as error:
                self._drop()
                self._latch.check()
                failures.errors.append(error)
        raise failures.outcome()

    def _open_on(self, login: Login, start: Start | Position) -> Position:
        server = Server(login, self._latch)
        try:
            preflight.require(server, self._wanted())
            planned = plan(server, start, lambda file: self._created(login, server.flavor, file))
            variables = server.variables("binlog_checksum", "lower_case_table_names")
            checksum = variables.get("binlog_checksum", "NONE") != "NONE"
            reading = Reading(
                flavor=server.flavor,
                charsets=server.charsets(),
                folds_names=variables.get("lower_case_table_names", "0") != "0",
            )
        finally:
            server.close()
        stream = self._begin(login, planned, reading, checksum=checksum)
        self.host = login.host
        return self._settle(stream)

    def _begin(self, login: Login, planned: Plan, reading: Reading, *, checksum: bool) -> _Stream:
        dump = Dump(login, planned.request, server_id=self._server_id, heartbeat_s=self._heartbeat_s, latch=self._latch)
        with self._following:
            transactions = Transactions(
                start=planned.position,
                seek=planned.seek,
                layouts=self._layouts(login, planned.position, reading),
                limits=self._limits,
                archive=self._archive(login, planned.position),
                checksum=checksum,
            )
            self._stream = _Stream(dump, transactions)
        return self._stream

    def _wanted(self) -> Interest:
        assert self._interest is not None  # noqa: S101 - open() set it
        return self._interest

    def _archive(self, login: Login, position: Position) -> ServerArchive:
        return ServerArchive(
            login,
            self._latch,
            flavor=position.flavor,
            identity=position.server_uuid,
            heartbeat_s=self._heartbeat_s,
        )

    def _layouts(self, login: Login, position: Position, reading: Reading) -> Layouts:
        def catalog(schema: str, table: str) -> Mapping[str, str]:
            server = Server(login, self._latch)
            try:
                return server.column_types(schema, table)
            finally:
                server.close()

        return Layouts(
            interest=self._wanted(),
            charsets=reading.charsets,
            flavor=position.flavor,
            catalog=catalog,
            schemas=self._schemas(login, position, reading),
        )

    def _schemas(self, login: Login, position: Position, reading: Reading) -> SchemaTracker:
        archive = self._archive(login, position)

        def here() -> Spot:
            assert self._stream is not None  # noqa: S101 - nothing is fed before
            at = self._stream.transactions.position
            return spot(at.file, at.pos)

        history = SchemaHistory(ServerRecords(connect=archive.connect, archive=archive, reading=reading))
        return SchemaTracker(history=history, reading=reading, here=here)

    def _settle(self, stream: _Stream) -> Position:
        """Read until it is known where the first transaction begins, or that there is none yet."""
        while not stream.transactions.settled:
            packet = self._packet(stream, wait=True)
            if packet is not None:
                stream.transactions.feed(packet)
        return stream.transactions.position

    def _created(self, login: Login, flavor: Flavor, file: str) -> float:
        """Return when a file was begun: the time in its first event."""
        request = Request(flavor=flavor, file=file)
        dump = Dump(login, request, server_id=self._server_id, heartbeat_s=self._heartbeat_s, latch=self._latch)
        try:
            while True:
                packet = dump.packet(wait=True)
                if packet is not None and packet[5] == EventType.FORMAT_DESCRIPTION:
                    return float(int.from_bytes(packet[1:5], "little"))
        finally:
            dump.close()

    def read(self) -> Segment:
        """See :meth:`hasync.ports.ChangeSource.read`. After an error the source must be opened anew."""
        stream = self._stream
        if stream is None:
            self._latch.check()
            raise SourceUnavailable("the source is not open")
        try:
            until = self._clock.monotonic() + GATHER_S
            while not stream.transactions.due and self._read_on(stream, until):
                pass
        except HasyncError:
            self._drop()
            raise
        return stream.transactions.take()

    def _read_on(self, stream: _Stream, until: float) -> bool:
        """Read a little more; False: hand over what there is, be it nothing."""
        transactions = stream.transactions
        if transactions.ready and self._clock.monotonic() >= until:
            return False
        if transactions.unfinished:
            transactions.go_on()
            # It may take long; an empty segment says that we are alive.
            return self._clock.monotonic() < until + self._heartbeat_s
        if self._run(stream):
            return True
        packet = self._packet(stream, wait=not transactions.ready)
        if packet is not None:
            transactions.feed(packet)
        return packet is not None

    def _run(self, stream: _Stream) -> bool:
        """Let the fast lane take what it can; True: look again before a packet is fed."""
        dump, transactions = stream.dump, stream.transactions
        at, dump.at = dump.at, transactions.run(dump.buffer, dump.at)
        return dump.at != at or transactions.due or (transactions.starved and self._more(dump))

    def _more(self, dump: Dump) -> bool:
        """Receive what is waiting; until twice as much lies here, or looking at it again would cost ever more."""
        before = dump.waiting_bytes
        try:
            while dump.more() and dump.waiting_bytes < 2 * before:
                pass
        except SourceUnavailable:
            self._latch.check()
            raise
        return dump.waiting_bytes > before

    def _packet(self, stream: _Stream, *, wait: bool) -> bytes | None:
        try:
            return stream.dump.packet(wait=wait)
        except SourceUnavailable:
            self._latch.check()  # say that it was interrupted, not what that looked like on the socket
            raise

    def follow(self, interest: Interest) -> None:
        """See :meth:`hasync.ports.ChangeSource.follow`."""
        with self._following:
            self._interest = interest
            stream = self._stream
            if stream is not None:
                stream.transactions.follow(interest)

    def interrupt(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.interrupt`. Holds until :meth:`close`."""
        self._latch.fire()

    def close(self) -> None:
        """See :meth:`hasync.ports.ChangeSource.close`."""
        self._drop()
        self._latch.reset()

    def _drop(self) -> None:
        """Drop the connections; an interruption stays in force."""
        if self._stream is not None:
            self._stream.transactions.close()
            self._stream.dump.close()
            self._stream = None
        self.host = ""


if TYPE_CHECKING:
    _: type[ChangeSource] = BinlogSource
