"""The config document of one stream, its revisions, and which streams there are."""

import threading
from typing import Final

from hasync.cluster.failures import MultiFailed
from hasync.cluster.guarded import ensure, remove
from hasync.cluster.payloads import decode, encode
from hasync.cluster.session import ZooKeeperSession
from hasync.cluster.watching import children, read
from hasync.cluster.znodes import StreamZnodes, Znodes
from hasync.coordination import ConfigStore, RevisionConflict, StreamCatalog
from hasync.errors import ConfigInvalid, CoordinationRefused
from hasync.model.cluster import ConfigRevision
from hasync.ports import Clock

KEPT: Final = 100
"""Revisions kept in the history."""

MAX_DOCUMENT_BYTES: Final = 400_000
"""A put writes the document twice in one multi, which has to fit into ZooKeeper's 1 MiB packet."""


class ConfigRecord:
    """Stores documents by compare-and-set on the revision, each one also under its number."""

    def __init__(self, *, session: ZooKeeperSession, znodes: StreamZnodes, clock: Clock) -> None:
        """Serve one stream; the clock's wall time dates the revisions."""
        self._session = session
        self._znodes = znodes
        self._clock = clock

    def get(self, wake: threading.Event | None = None) -> ConfigRevision | None:
        """Read the revision in force; ``wake`` is set when another one is."""
        found = read(self._session, "config.get", self._znodes.config, wake)
        return self._decoded(found[0], self._znodes.config) if found else None

    def _decoded(self, data: bytes, path: str) -> ConfigRevision:
        try:
            return decode(data, path, ConfigRevision.from_json)
        except CoordinationRefused as refused:
            # A config is an operator's work, so it is reported as one and the last good one stays in force.
            raise ConfigInvalid(refused.message, hint="use `hasync config apply`, not an editor") from refused

    def put(self, document: str, *, based_on: int, applied_by: str, comment: str = "") -> ConfigRevision:
        """Store the next revision."""
        size_bytes = len(document.encode())
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise ConfigInvalid(
                f"the config document has {size_bytes} bytes, at most {MAX_DOCUMENT_BYTES} are stored",
                hint="use wildcards in table names, or split the stream",
            )
        ensure(self._session, *self._znodes.parents())
        found = read(self._session, "config.get", self._znodes.config)
        current, version = self._replaceable(found[0], found[1].version) if found else (0, None)
        new = ConfigRevision(
            revision=max(current, *self._numbers(), 0) + 1,
            document=document,
            applied_at=self._clock.wall(),
            applied_by=applied_by,
            comment=comment,
        )
        if current != based_on:
            return self._already_mine(new, based_on, current)
        if not self._write(new, version):
            return self._already_mine(new, based_on, self._current())
        self._prune()
        return new

    def _replaceable(self, data: bytes, version: int) -> tuple[int, int]:
        """Return revision and znode version; revision 0 when the znode is unreadable and so must be replaced."""
        try:
            return self._decoded(data, self._znodes.config).revision, version
        except ConfigInvalid:
            return 0, version

    def _current(self) -> int:
        revision = self.get()
        return revision.revision if revision else 0

    def _already_mine(self, new: ConfigRevision, based_on: int, current: int) -> ConfigRevision:
        """Return what an earlier try of the same call stored without being told so (K19).

        Raises RevisionConflict when it was somebody else.
        """
        stored = self.get()
        same = stored is not None and (stored.sha256, stored.applied_by, stored.comment) == (
            new.sha256,
            new.applied_by,
            new.comment,
        )
        if stored is not None and same and stored.revision == based_on + 1:
            return stored
        raise RevisionConflict(
            f"{self._znodes.name} is at config revision {current}, not {based_on}",
            current=current,
            hint="look at the difference (`hasync config diff`), then apply again",
        )

    def _write(self, new: ConfigRevision, version: int | None) -> bool:
        """Write document and history together; False when another revision came in between."""
        path = self._znodes.config
        data = encode(new.to_json(), "config")

        def build(multi: object) -> None:
            if version is None:
                multi.create(path, data)  # type: ignore[attr-defined]  # kazoo has no types
            else:
                multi.set_data(path, data, version)  # type: ignore[attr-defined]
            multi.create(self._znodes.config_revision(new.revision), data)  # type: ignore[attr-defined]

        try:
            self._session.multi("config.put", build)
        except MultiFailed:
            return False
        return True

    def _numbers(self) -> tuple[int, ...]:
        names = children(self._session, "config.list", self._znodes.config_history)
        return tuple(int(name) for name in names if name.isdigit())

    def _prune(self) -> None:
        """Delete the oldest revisions."""
        for number in self._numbers()[:-KEPT]:
            remove(self._session, "config.prune", self._znodes.config_revision(number))

    def revision(self, number: int) -> ConfigRevision | None:
        """Read an older revision."""
        path = self._znodes.config_revision(number)
        found = read(self._session, "config.get", path)
        return self._decoded(found[0], path) if found else None

    def history(self, limit: int = KEPT) -> tuple[ConfigRevision, ...]:
        """Return the last revisions, newest first."""
        found = (self.revision(number) for number in reversed(self._numbers()[-limit:]))
        return tuple(revision for revision in found if revision is not None)


class StreamList:
    """Lists the streams that have a node."""

    def __init__(self, *, session: ZooKeeperSession, znodes: Znodes) -> None:
        """Serve one cluster."""
        self._session = session
        self._znodes = znodes

    def names(self, wake: threading.Event | None = None) -> tuple[str, ...]:
        """Return their names in order."""
        return children(self._session, "streams.list", self._znodes.streams, wake)


def _conforms(configs: ConfigRecord, streams: StreamList) -> tuple[ConfigStore, StreamCatalog]:
    """Have mypy hold the classes to their ports."""
    return configs, streams
