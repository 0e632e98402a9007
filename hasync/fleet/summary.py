"""The standing of a stream in the whole cluster, put together from ZooKeeper and its leader's own words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from hasync.coordination import StreamCoordination
from hasync.errors import ConfigInvalid, CoordinationRefused
from hasync.fleet.leaderstatus import LeaderStatus
from hasync.model.cluster import ConfigRevision, Halt, Intent, Leader
from hasync.model.config import StreamConfig, parse
from hasync.model.member import Member
from hasync.model.state import Acknowledged

Value = TypeVar("Value")

LITTLE_S: Final = 5.0
"""A lag that nobody is alarmed by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ZooKeeper has on a stream, read once.

    ``unreadable``: why the config's znode is not understood; ``refusals``: why others are not.
    """

    stream: str
    leader: Leader | None
    contenders: tuple[str, ...]
    acknowledged: Acknowledged | None
    revision: ConfigRevision | None
    unreadable: str
    halt: Halt | None
    intent: Intent | None
    members: tuple[Member, ...]
    refusals: tuple[CoordinationRefused, ...] = ()
    parser: Callable[[str], StreamConfig] = field(default=parse, repr=False, compare=False)

    @classmethod
    def read(
        cls, ports: StreamCoordination, members: tuple[Member, ...], *, parser: Callable[[str], StreamConfig] = parse
    ) -> "Facts":
        """Read them; one znode that is not understood hides no other. Raises CoordinationUnavailable.

        ``parser``: of the config's document; whoever looks again and again remembers what it parsed.
        """
        revision, unreadable = None, ""
        refusals: list[CoordinationRefused] = []
        try:
            revision = ports.configs.get()
        except ConfigInvalid as invalid:
            unreadable = str(invalid)
        return cls(
            stream=ports.stream,
            leader=_read(ports.terms.leader, refusals),
            contenders=_read(ports.election.contenders, refusals) or (),
            acknowledged=_read(lambda: ports.positions.load().value, refusals),
            revision=revision,
            unreadable=unreadable,
            halt=_read(ports.halts.get, refusals),
            intent=_read(ports.intents.get, refusals),
            members=tuple(member for member in members if ports.stream in member.streams),
            refusals=tuple(refusals),
            parser=parser,
        )

    def config(self) -> tuple[StreamConfig | None, str]:
        """Return the config in ZooKeeper, or why it is none."""
        if self.revision is None:
            return None, self.unreadable or "no config; apply one with 'hasync config apply'"
        try:
            return self.parser(self.revision.document), ""
        except ConfigInvalid as invalid:
            return None, f"revision {self.revision.revision} is refused: {'; '.join(invalid.problems)}"

    def roles(self) -> dict[str, str]:
        """Return each member's role in the stream."""
        return {member.id: member.streams[self.stream].role for member in self.members}

    @property
    def halt_in_force(self) -> Halt | None:
        """The halt in force. One for another revision than the newest no longer is, unless instances say so."""
        halt, revision = self.halt, self.revision
        if halt is None or halt.in_force(revision.revision if revision else 0):
            return halt
        return halt if "halted" in self.roles().values() or self.config()[1] else None


def _read(look: Callable[[], Value], refusals: list[CoordinationRefused]) -> Value | None:
    """Return what one look finds, None when ZooKeeper refuses it or holds what is not understood."""
    try:
        return look()
    except CoordinationRefused as refused:
        refusals.append(refused)
        return None


def _paused(intent: Intent) -> str:
    until = f" until {datetime.fromtimestamp(intent.until, UTC):%Y-%m-%dT%H:%M:%SZ}" if intent.until else ""
    return f"paused by {intent.by}{until}" + (f" ({intent.reason})" if intent.reason else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A stream as ``hasync status`` shows it; ``told`` is None when there was nobody to ask."""

    facts: Facts
    told: LeaderStatus | None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the stream is degraded, most important first; none when it is not."""
        return tuple(self._problems())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may become a problem."""
        return tuple(self._warnings())

    @property
    def lag_s(self) -> float | None:
        """How far Redis trails the source, None when unknown."""
        return self.told.lag_s if self.told else None

    @property
    def halt(self) -> Halt | None:
        """The halt in force."""
        return self.facts.halt_in_force

    def _problems(self) -> Iterator[str]:
        facts, config_problem = self.facts, self.facts.config()[1]
        yield from map(str, facts.refusals)
        if self.halt is not None:
            hint = f" ({self.halt.hint})" if self.halt.hint else ""
            yield f"halted by {self.halt.member}: {self.halt.code}: {self.halt.reason}{hint}; then 'hasync resume'"
        if config_problem:
            yield config_problem + self._kept()
        if facts.leader is None and not self._switched_off and self.halt is None and not facts.refusals:
            yield self._why_no_leader()
        if self.told is not None:
            yield from self._leader_problems(self.told, known=bool(config_problem))

    def _kept(self) -> str:
        """Say which revision is in force while the newest is refused."""
        kept = self.told.config_revision if self.told is not None and self.told.reached else 0
        return f"; the leader keeps revision {kept}" if kept else ""

    def _why_no_leader(self) -> str:
        intent = self.facts.intent
        if self.paused and intent is not None:
            return f"no leader: {_paused(intent)}"
        if self.facts.contenders:
            return f"no leader yet: {', '.join(self.facts.contenders)} in the election"
        roles = self.facts.roles()
        if roles and set(roles.values()) == {"barred"}:
            return "no leader: the config pins the stream to instances that are not there"
        return "no leader, and no instance contends"

    def _leader_problems(self, told: LeaderStatus, *, known: bool) -> Iterator[str]:
        if not told.reached:
            yield f"the leader cannot be asked: {told.why}"
        if told.config_refusal and not known:
            yield f"the leader refuses the config and keeps revision {told.config_revision}: {told.config_refusal}"
        if told.degraded:
            yield from (f"degraded: {operation}: {why}" for operation, why in told.troubles.items())

    def _warnings(self) -> Iterator[str]:
        facts = self.facts
        if self._switched_off:
            yield "the config says enabled: false"
        if facts.leader is not None and facts.intent is not None:
            what = "a pause" if facts.intent.pauses else f"a {facts.intent.kind.value} to {facts.intent.to}"
            yield f"{what} is asked for by {facts.intent.by}; the leader is handing over"
        revision = facts.revision.revision if facts.revision else 0
        if self.told is not None and self.told.reached and not self.problems and self.told.config_revision < revision:
            yield f"the leader runs config revision {self.told.config_revision}, {revision} is applied"
        if facts.leader is not None and not any(role == "standby" for role in facts.roles().values()):
            yield "no standby: nobody would take over"
        if self.told is not None and not self.told.degraded:
            yield from (f"trying again: {operation}: {why}" for operation, why in self.told.troubles.items())
        for member in facts.members:
            status = member.streams[facts.stream]
            # A halt in force is told once, as the stream's problem.
            if status.detail and (status.role == "waiting" or (status.role == "halted" and self.halt is None)):
                yield f"{member.id}: {status.role}: {status.detail}"

    @property
    def up_to_date(self) -> bool:
        """Whether the leader says that it trails nothing and has no trouble: what is old is then the newest."""
        told = self.told
        return told is not None and not told.troubles and told.lag_s is not None and told.lag_s <= LITTLE_S

    @property
    def paused(self) -> bool:
        """Whether an operator wants nobody to lead."""
        return self.facts.intent is not None and self.facts.intent.pauses

    @property
    def _switched_off(self) -> bool:
        config, _ = self.facts.config()
        return config is not None and not config.enabled

    @property
    def state(self) -> str:
        """One word: ``ok``, ``paused``, ``degraded`` or ``disabled``."""
        if self.paused and self.facts.leader is None and len(self.problems) == 1:
            return "paused"
        if self.problems:
            return "degraded"
        return "disabled" if self._switched_off else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``-o json``; null is unknown or nothing."""
        facts, told = self.facts, self.told
        return {
            "stream": facts.stream,
            "state": self.state,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "leader": _leader(facts.leader, told),
            "contenders": list(facts.contenders),
            "lag_seconds": self.lag_s,
            "acknowledged": facts.acknowledged.to_json() if facts.acknowledged else None,
            "config": self._config(),
            "halt": self.halt.to_json() if self.halt else None,
            "intent": facts.intent.to_json() if facts.intent else None,
            "members": [_member(member, facts.stream) for member in facts.members],
        }

    def _config(self) -> dict[str, Any]:
        revision, told = self.facts.revision, self.told
        refusal = self.facts.config()[1] or (told.config_refusal if told else "")
        return {
            "revision": revision.revision if revision else None,
            "in_force": told.config_revision if told and told.reached else None,
            "applied_at": revision.applied_at if revision else None,
            "applied_by": revision.applied_by if revision else None,
            "comment": revision.comment if revision else None,
            "refusal": refusal or None,
        }


def _leader(leader: Leader | None, told: LeaderStatus | None) -> dict[str, Any] | None:
    if leader is None:
        return None
    return {
        "member": leader.member,
        "epoch": leader.epoch,
        "since": leader.since,
        "address": leader.address or None,
        "reached": bool(told and told.reached),
        "degraded": bool(told and told.degraded),
        "troubles": dict(told.troubles) if told else {},
    }


def _member(member: Member, stream: str) -> dict[str, Any]:
    status = member.streams[stream]
    return {
        "id": member.id,
        "role": status.role,
        "eligibility": status.eligibility.value,
        "epoch": status.epoch,
        "detail": status.detail,
        "address": member.address or None,
        "version": member.version,
        "host": member.host,
        "pid": member.pid,
        "started_at": member.started_at,
        "restarts": member.restarts,
        "last_exit": member.last_exit or None,
        "drained": member.drained or None,
    }
