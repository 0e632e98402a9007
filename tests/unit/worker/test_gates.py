"""The gates that a drill shuts, in front of sink and source."""

import threading
from typing import Any

import pytest

from hasync.errors import SinkUnavailable, SourceUnavailable
from hasync.worker.gates import GatedSink, GatedSource, TimedGate
from tests.unit.cli.stage import Clock


class Recorder:
    """A port that notes what it was called for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_: object) -> str:
            self.calls.append(name)
            return name

        return call


def test_gate_opens_by_itself_when_its_time_is_up() -> None:
    """Nobody has to live on to end a cut."""
    clock = Clock()
    gate = TimedGate(clock)
    gate.shut_for(5.0)
    assert gate.shut
    clock.now_s += 5.0
    assert not gate.shut


def test_waiting_at_a_gate_ends_when_it_opens() -> None:
    """What is asked during a short cut is only late, as on a network that loses packets."""
    clock = Clock()
    gate = TimedGate(clock)
    gate.shut_for(1.0)
    assert gate.passes(3.0)
    assert 1.0 <= clock.now_s < 1.1


def test_waiting_at_a_gate_ends_at_its_own_limit() -> None:
    """A caller waits no longer than it would for a server."""
    clock = Clock()
    gate = TimedGate(clock)
    gate.shut_for(60.0)
    assert not gate.passes(1.5)
    assert clock.now_s < 2.0


def test_waiting_at_a_gate_ends_when_told_to_stop() -> None:
    """A shutdown does not wait for the end of a cut."""
    clock, stop = Clock(), threading.Event()
    gate = TimedGate(clock)
    gate.shut_for(60.0)
    stop.set()
    assert not gate.passes(30.0, stop)
    assert clock.now_s == 0.0


def test_sink_behind_a_shut_gate_does_not_answer_and_is_dropped() -> None:
    """The connection must be made anew, so that the state is read before anything is written."""
    clock, inner = Clock(), Recorder()
    gate = TimedGate(clock)
    sink = GatedSink(inner, gate, timeout_s=1.5)  # type: ignore[arg-type]
    gate.shut_for(10.0)
    with pytest.raises(SinkUnavailable, match="did not answer within"):
        sink.apply((), None)  # type: ignore[arg-type]
    assert inner.calls == ["close"]


def test_sink_behind_an_open_gate_is_the_sink() -> None:
    """Every call goes through."""
    inner = Recorder()
    sink = GatedSink(inner, TimedGate(Clock()), timeout_s=1.5)  # type: ignore[arg-type]
    sink.peek(), sink.claim(1, None), sink.apply((), None), sink.close()  # type: ignore[arg-type]
    assert inner.calls == ["peek", "claim", "apply", "close"]


def test_shutting_the_gate_breaks_an_open_source() -> None:
    """A read that waits for the next event returns, and opening anew finds nobody."""
    clock, inner = Clock(), Recorder()
    gate = TimedGate(clock)
    source = GatedSource(inner, gate, timeout_s=5.0)  # type: ignore[arg-type]
    source.open(None, None)  # type: ignore[arg-type]
    gate.shut_for(60.0)
    assert inner.calls == ["open", "interrupt"]
    source.close()
    with pytest.raises(SourceUnavailable):
        source.open(None, None)  # type: ignore[arg-type]


def test_closed_source_hears_of_no_cut() -> None:
    """A source that a later term replaced is not kept alive by the gate."""
    inner = Recorder()
    gate = TimedGate(Clock())
    source = GatedSource(inner, gate, timeout_s=5.0)  # type: ignore[arg-type]
    source.open(None, None)  # type: ignore[arg-type]
    source.close()
    gate.shut_for(1.0)
    assert inner.calls == ["open", "close"]


def test_interrupting_a_source_at_its_gate_ends_the_wait() -> None:
    """Stopping a stream does not wait for the cut to end."""
    clock = Clock()
    gate = TimedGate(clock)
    source = GatedSource(Recorder(), gate, timeout_s=30.0)  # type: ignore[arg-type]
    gate.shut_for(60.0)
    source.interrupt()
    with pytest.raises(SourceUnavailable):
        source.open(None, None)  # type: ignore[arg-type]
    assert clock.now_s == 0.0
