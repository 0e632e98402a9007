"""One look at the whole cluster: ZooKeeper's word on every stream, and every instance's own.

Neither the source nor the sink is asked. A look at the same cluster again costs less than
the first one: what changes with a term only is read again only then, or now and then.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final

from hasync.coordination import Members, StreamCatalog, StreamCoordination
from hasync.errors import ConfigInvalid, CoordinationRefused
from hasync.fleet.leaderstatus import LeaderStatus, Said
from hasync.fleet.summary import Facts, Summary
from hasync.model.cluster import Leader, TermRecord
from hasync.model.config import StreamConfig, parse
from hasync.model.member import Member
from hasync.ports import Clock

TERMS: Final = 8
"""How many of the last terms are looked at."""

TERMS_AGE_S: Final = 5.0
"""The terms are read again after so long: a takeover's last steps come a little behind its leader's name."""

ASKING_S: Final = 2.0
"""How long a look waits for the instances' own words."""

ASKED_AT_ONCE: Final = 8

DOCUMENTS_MAX: Final = 4096
"""So many parsed configs are remembered; then they are forgotten, all at once."""

RATE_OVER_S: Final = 5.0
"""Rows per second are counted over so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPicture:
    """A stream. ``terms``: the last ones, newest first; ``rate_rows_s``: rows applied a second, None while unknown."""

    summary: Summary
    terms: tuple[TermRecord, ...] = ()
    rate_rows_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The cluster at one moment. ``taken_at``: Unix seconds; ``said``: each member's own status, by id."""

    taken_at: float
    streams: tuple[StreamPicture, ...] = ()
    members: tuple[Member, ...] = ()
    said: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What a survey looks through. ``own``: the id of the instance that looks, and its status; ``ask``: another's."""

    members: Members
    catalog: StreamCatalog
    stream: Callable[[str], StreamCoordination]
    own: Callable[[], tuple[str, Any]]
    ask: Callable[[str], Said]
    clock: Clock


class Survey:
    """Takes pictures. Called from: one thread at a time."""

    def __init__(self, eyes: Eyes) -> None:
        """Remember where to look."""
        self._eyes = eyes
        self._terms: dict[str, tuple[Leader | None, float, tuple[TermRecord, ...]]] = {}
        self._rates: dict[str, Rate] = {}
        self._configs = Configs()
        self._asking: ThreadPoolExecutor | None = None

    def look(self) -> Picture:
        """Look once. Raises CoordinationUnavailable, CoordinationRefused; takes some seconds at most."""
        eyes = self._eyes
        members = eyes.members.list()
        asked = self._ask(members)
        names = sorted({*eyes.catalog.names(), *(name for member in members for name in member.streams)})
        facts = [Facts.read(eyes.stream(name), members, parser=self._configs) for name in names]
        said = _heard(asked)
        self._forget(set(names))
        return Picture(
            taken_at=eyes.clock.wall(),
            streams=tuple(self._stream(each, said) for each in facts),
            members=members,
            said=said,
        )

    def rest(self) -> None:
        """Give up what is only needed while somebody looks: threads, and what rates are counted from."""
        asking, self._asking = self._asking, None
        self._rates.clear()
        if asking is not None:
            asking.shutdown(wait=True, cancel_futures=True)

    def _ask(self, members: tuple[Member, ...]) -> dict[str, "Future[Said]"]:
        if self._asking is None:
            self._asking = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="hasync-survey")
        own, document = self._eyes.own()
        asked: dict[str, Future[Said]] = {}
        for member in members:
            if member.id == own:
                asked[member.id] = Future()
                asked[member.id].set_result(Said(document=document))
            else:
                asked[member.id] = self._asking.submit(self._eyes.ask, member.address)
        return asked

    def _stream(self, facts: Facts, said: Mapping[str, Said]) -> StreamPicture:
        told = _words(facts, said) if facts.leader else None
        rate = None
        if told is not None and told.reached and facts.leader is not None:
            counted = self._rates.setdefault(facts.stream, Rate())
            rate = counted.of(facts.leader.epoch, told.rows_applied, self._eyes.clock.monotonic())
        return StreamPicture(summary=Summary(facts=facts, told=told), terms=self._history(facts), rate_rows_s=rate)

    def _history(self, facts: Facts) -> tuple[TermRecord, ...]:
        now = self._eyes.clock.monotonic()
        known = self._terms.get(facts.stream)
        if known is not None and known[0] == facts.leader and now - known[1] < TERMS_AGE_S:
            return known[2]
        try:
            terms = self._eyes.stream(facts.stream).terms.history(TERMS)
        except CoordinationRefused:
            terms = ()  # of a newer release; it is the past, and hides nothing of the present
        self._terms[facts.stream] = facts.leader, now, terms
        return terms

    def _forget(self, names: set[str]) -> None:
        """Drop what is known of streams that are gone."""
        for gone in self._terms.keys() - names:
            del self._terms[gone]
            self._rates.pop(gone, None)


class Configs:
    """Parses documents, each once: that takes ten times as long as all else of a look."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, StreamConfig | ConfigInvalid] = {}

    def __call__(self, document: str) -> StreamConfig:
        """Return the config. Raises ConfigInvalid."""
        found = self._known.get(document) or self._parsed(document)
        if isinstance(found, ConfigInvalid):
            raise ConfigInvalid(found.message, problems=found.problems, hint=found.hint)
        return found

    def _parsed(self, document: str) -> StreamConfig | ConfigInvalid:
        if len(self._known) >= DOCUMENTS_MAX:
            self._known.clear()
        try:
            self._known[document] = parse(document)
        except ConfigInvalid as invalid:
            self._known[document] = invalid
        return self._known[document]


class Rate:
    """Rows per second from a counter that is looked at now and then; another epoch's counter is another one."""

    def __init__(self) -> None:
        """Begin to count."""
        self._epoch = 0
        self._counts: deque[tuple[float, int]] = deque()

    def of(self, epoch: int, rows: int, now_s: float) -> float | None:
        """Take note of a count, and return the rate; None for the first one. ``now_s``: monotonic."""
        counts = self._counts
        if epoch != self._epoch or (counts and rows < counts[-1][1]):
            self._epoch = epoch
            counts.clear()
        counts.append((now_s, rows))
        while len(counts) > 2 and now_s - counts[1][0] >= RATE_OVER_S:
            counts.popleft()
        over_s = now_s - counts[0][0]
        return (rows - counts[0][1]) / over_s if over_s > 0 else None


def _heard(asked: Mapping[str, "Future[Said]"]) -> dict[str, Said]:
    """Return what each said in time."""
    done, _ = wait(asked.values(), ASKING_S)
    late = Said(why="it does not answer in time")
    return {name: said.result() if said in done else late for name, said in asked.items()}


def _words(facts: Facts, said: Mapping[str, Said]) -> LeaderStatus:
    leader = facts.leader
    assert leader is not None  # noqa: S101 - the caller looked
    answer = said.get(leader.member, Said(why="it is not among the instances"))
    if not answer.reached:
        return LeaderStatus(reached=False, why=answer.why)
    return LeaderStatus.of(answer.document, facts.stream, leader)
