"""GTID sets of both flavors, as immutable values.

mysql-replication's own ``GtidSet`` raises on contained intervals, answers ``in`` by
equality and knows no tags, so hasync keeps its own.

MySQL:   ``uuid[:tag]:1-5:7,uuid2:3``; a transaction adds ``(uuid[:tag], n)``.
MariaDB: ``domain-server-seq`` per domain; the last one of each domain stands for all before it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_TAG = re.compile(r"^[a-z_][a-z0-9_]{0,31}$")
_MARIADB = re.compile(r"^(\d+)-(\d+)-(\d+)$")

Intervals = tuple[tuple[int, int], ...]
"""Sorted, disjoint, non-touching closed intervals ``(first, last)``, counted from 1."""


def merge(intervals: list[tuple[int, int]]) -> Intervals:
    """Sort closed intervals and join those that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _covers(outer: Intervals, inner: Intervals) -> bool:
    return all(any(a <= first and last <= b for a, b in outer) for first, last in inner)


def _parse_interval(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise ValueError(f"GTID interval {text!r} is not a number or a range of numbers")
    pair = (int(first), int(last or first))
    if pair[0] < 1 or pair[1] < pair[0]:
        raise ValueError(f"GTID interval {text!r} must rise and start at 1 or more")
    return pair


@dataclass(frozen=True, slots=True)
class MysqlGtidSet:
    """Which transactions of which origin are in; ``origins`` maps ``uuid`` or ``uuid:tag`` to intervals."""

    origins: Mapping[str, Intervals] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read MySQL's notation; white space and line breaks are allowed.

        Raises ValueError naming the part that is wrong.
        """
        collected: dict[str, list[tuple[int, int]]] = {}
        for part in filter(None, re.sub(r"\s", "", text).lower().split(",")):
            cls._parse_origin(part, collected)
        return cls({origin: merge(spans) for origin, spans in sorted(collected.items())})

    @staticmethod
    def _parse_origin(part: str, collected: dict[str, list[tuple[int, int]]]) -> None:
        uuid, *rest = part.split(":")
        if not _UUID.match(uuid) or not rest:
            raise ValueError(f"GTID set part {part!r} is not of the form uuid[:tag]:n[-m]")
        origin = uuid
        if _TAG.match(rest[-1]):
            raise ValueError(f"GTID set part {part!r} ends with a tag instead of a number")
        for token in rest:
            if _TAG.match(token):
                origin = f"{uuid}:{token}"
            else:
                collected.setdefault(origin, []).append(_parse_interval(token))

    def add(self, gtid: str) -> "MysqlGtidSet":
        """Return the set with one GTID ``uuid[:tag]:n`` more; adding twice changes nothing.

        Raises ValueError when ``gtid`` is malformed.
        """
        origin, _, number = gtid.lower().rpartition(":")
        span = _parse_interval(number)
        spans = self.origins.get(origin, ())
        if spans and span[0] == spans[-1][1] + 1:
            grown = (*spans[:-1], (spans[-1][0], span[1]))
        else:
            grown = merge([*spans, span])
        return MysqlGtidSet({**self.origins, origin: grown})

    def covers(self, other: "MysqlGtidSet") -> bool:
        """Whether every transaction of ``other`` is in this set."""
        return all(_covers(self.origins.get(origin, ()), spans) for origin, spans in other.origins.items())

    @property
    def tagged(self) -> bool:
        """Whether any origin has a tag."""
        return any(":" in origin for origin in self.origins)

    def __str__(self) -> str:
        """As the server prints it, without its line breaks: sorted, one part per uuid, in it the tags in order."""
        parts: dict[str, list[str]] = {}
        for origin, spans in sorted(self.origins.items()):
            uuid, _, tag = origin.partition(":")
            tokens = parts.setdefault(uuid, [uuid])
            tokens += [tag] * bool(tag)
            tokens += [str(a) if a == b else f"{a}-{b}" for a, b in spans]
        return ",".join(":".join(tokens) for tokens in parts.values())


@dataclass(frozen=True, slots=True)
class MariadbGtidSet:
    """The last transaction of each replication domain: domain → (server id, sequence number)."""

    domains: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``domain-server-seq[,…]``; each domain at most once.

        Raises ValueError naming the part that is wrong.
        """
        domains: dict[int, tuple[int, int]] = {}
        for part in filter(None, re.sub(r"\s", "", text).split(",")):
            match = _MARIADB.match(part)
            if match is None:
                raise ValueError(f"MariaDB GTID {part!r} is not of the form domain-server-sequence")
            domain, server, sequence = (int(number) for number in match.groups())
            if domain in domains:
                raise ValueError(f"MariaDB GTID set names domain {domain} twice")
            domains[domain] = (server, sequence)
        return cls(dict(sorted(domains.items())))

    def add(self, gtid: str) -> "MariadbGtidSet":
        """Return the set after transaction ``domain-server-seq``, which becomes its domain's last.

        Raises ValueError when ``gtid`` is malformed.
        """
        return MariadbGtidSet({**self.domains, **MariadbGtidSet.parse(gtid).domains})

    def covers(self, other: "MariadbGtidSet") -> bool:
        """Whether this set is at or past ``other`` in every domain that ``other`` names."""
        return all(
            domain in self.domains and self.domains[domain][1] >= sequence
            for domain, (_, sequence) in other.domains.items()
        )

    def __str__(self) -> str:
        """MariaDB's notation, domains sorted."""
        return ",".join(f"{d}-{server}-{seq}" for d, (server, seq) in sorted(self.domains.items()))


GtidSet = MysqlGtidSet | MariadbGtidSet
