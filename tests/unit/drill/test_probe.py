"""The probe: rows of its own, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hasync.drill.handlers import beat
from hasync.drill.probe import Probe
from hasync.drill.recording import Committed, Recording, Visible
from hasync.errors import HasyncError, SourceUnavailable
from hasync.model.change import Operation
from hasync.stream.handlers import RowChange
from tests.unit.cli.stage import Clock


@dataclass
class Servers:
    """Both ends: what is inserted is counted, if ``streamed``. ``down``: so many inserts are not confirmed."""

    name: str = "hasync_drill.beat"
    streamed: bool = True
    down: int = 0
    applied: dict[int, int] = field(default_factory=dict)

    def insert(self, drill: str, beat: int) -> None:
        if self.down:
            self.down -= 1
            raise SourceUnavailable("away")
        if self.streamed:
            self.applied[beat] = self.applied.get(beat, 0) + 1

    def visible(self, drill: str) -> int:
        return len(self.applied)

    def counts(self, drill: str) -> Mapping[int, int]:
        return self.applied

    def clear(self, drill: str) -> None: ...
    def forget(self, drill: str) -> None: ...
    def close(self) -> None: ...


def probe(servers: Servers, recording: Recording | None = None) -> Probe:
    return Probe(drill="d", table=servers, counts=servers, recording=recording or Recording(), clock=Clock())


def test_every_beat_is_recorded_when_it_is_committed_and_when_it_is_seen() -> None:
    """Both moments make the latency."""
    recording, servers = Recording(), Servers()
    subject = probe(servers, recording)
    subject.beat()
    subject.look()
    assert [type(sample) for sample in recording.samples()] == [Committed, Visible]


def test_beat_that_was_not_confirmed_is_neither_lost_nor_missed() -> None:
    """Its number is not used again."""
    servers = Servers(down=1)
    subject = probe(servers)
    with pytest.raises(SourceUnavailable):
        subject.beat()
    subject.beat()
    tally = subject.tally()
    assert (tally.committed, tally.uncertain, tally.lost, tally.doubled) == (1, 1, 0, 0)
    assert servers.applied == {2: 1}


def test_lost_and_doubled_beats_are_counted() -> None:
    """After the time for late ones is up."""
    servers = Servers()
    subject = probe(servers)
    for _ in range(3):
        subject.beat()
    servers.applied = {1: 1, 3: 2}
    tally = subject.tally()
    assert (tally.lost, tally.doubled) == (1, 1)


def test_stream_without_a_rule_for_the_table_is_told_what_it_lacks() -> None:
    """Before any fault."""
    with pytest.raises(HasyncError, match="did not reach Redis") as refused, probe(Servers(streamed=False)).beating():
        pass
    assert 'hasync_drill.beat:\n    - {handler: "hasync.drill.handlers:beat"}' in refused.value.hint


def change(operation: Operation, number: int) -> RowChange:
    row: dict[str, Any] = {"drill": "d1", "beat": number}
    old, new = (row, {}) if operation is Operation.DELETE else ({}, row)
    return RowChange(schema="hasync_drill", table="beat", operation=operation, old=old, new=new)


def test_handler_counts_new_rows_only() -> None:
    """What the probe deletes afterwards is no change of any counter; the counters do not stay for ever."""
    commands = list(beat([change(Operation.INSERT, 1), change(Operation.INSERT, 2), change(Operation.DELETE, 1)]))
    assert commands == [
        (b"HINCRBY", b"hasync-drill:d1", b"1", b"1"),
        (b"HINCRBY", b"hasync-drill:d1", b"2", b"1"),
        (b"EXPIRE", b"hasync-drill:d1", b"3600"),
    ]
