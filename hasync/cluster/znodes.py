"""Every path in ZooKeeper, made in one place; ``zk/schema.yaml`` promises the same and a test compares them."""

from typing import Final

from hasync.errors import ConfigInvalid
from hasync.model.cluster import NAME

TREE: Final = {
    "root": "",
    "members": "/members",
    "member": "/members/{member}",
    "drains": "/drains",
    "drain": "/drains/{member}",
    "streams": "/streams",
    "stream": "/streams/{stream}",
    "config": "/streams/{stream}/config",
    "config_history": "/streams/{stream}/config-history",
    "config_revision": "/streams/{stream}/config-history/{revision}",
    "position": "/streams/{stream}/position",
    "epoch": "/streams/{stream}/epoch",
    "election": "/streams/{stream}/election",
    "contender": "/streams/{stream}/election/{contender}",
    "leader": "/streams/{stream}/leader",
    "terms": "/streams/{stream}/terms",
    "term": "/streams/{stream}/terms/{epoch}",
    "intent": "/streams/{stream}/intent",
    "halt": "/streams/{stream}/halt",
    "drill": "/streams/{stream}/drill",
}
"""Name of each kind of znode and its path below the root."""


def checked_name(name: str, what: str) -> str:
    """Return ``name`` if it can be a znode's name. Raises ConfigInvalid."""
    if not NAME.fullmatch(name):
        raise ConfigInvalid(
            f"{what} {name!r} is not a valid name",
            hint="letters, digits, '_', '.' and '-', at most 63, beginning with a letter or digit",
        )
    return name


def numbered(number: int) -> str:
    """Return a number as a znode name; equal widths make the order of names the order of numbers."""
    return f"{number:010d}"


class Znodes:
    """The paths of one cluster: ``root`` is its top, absolute, without a slash at the end."""

    def __init__(self, root: str = "/hasync") -> None:
        """Keep the root. Raises ConfigInvalid when it is not an absolute path."""
        if not root.startswith("/") or root.endswith("/") or "//" in root:
            raise ConfigInvalid(f"ZooKeeper root {root!r} is not a path such as '/hasync'")
        self.root = root

    def path(self, kind: str, **names: str) -> str:
        """Return the path of one kind of :data:`TREE`."""
        return self.root + TREE[kind].format(**names)

    @property
    def members(self) -> str:
        """The parent of all members."""
        return self.path("members")

    @property
    def drains(self) -> str:
        """The parent of all drains."""
        return self.path("drains")

    @property
    def streams(self) -> str:
        """The parent of all streams."""
        return self.path("streams")

    def member(self, member_id: str) -> str:
        """One instance's status."""
        return self.path("member", member=checked_name(member_id, "member id"))

    def drain(self, member_id: str) -> str:
        """The wish that one instance lead nothing that another can."""
        return self.path("drain", member=checked_name(member_id, "member id"))

    def stream(self, name: str) -> "StreamZnodes":
        """The paths of one stream. Raises ConfigInvalid for a name that cannot be one."""
        return StreamZnodes(self, checked_name(name, "stream name"))


class StreamZnodes:
    """The paths of one stream."""

    def __init__(self, znodes: Znodes, stream: str) -> None:
        """Fix root and stream name."""
        self.znodes = znodes
        self.name = stream
        self.top = self._path("stream")
        self.config = self._path("config")
        self.config_history = self._path("config_history")
        self.position = self._path("position")
        self.epoch = self._path("epoch")
        self.election = self._path("election")
        self.leader = self._path("leader")
        self.terms = self._path("terms")
        self.intent = self._path("intent")
        self.halt = self._path("halt")
        self.drill = self._path("drill")

    def _path(self, kind: str, **names: str) -> str:
        return self.znodes.path(kind, stream=self.name, **names)

    def config_revision(self, number: int) -> str:
        """One kept revision of the config."""
        return self._path("config_revision", revision=numbered(number))

    def term(self, epoch: int) -> str:
        """One term's record."""
        return self._path("term", epoch=numbered(epoch))

    def contender(self, node: str) -> str:
        """One contender of the election."""
        return self._path("contender", contender=node)

    def parents(self) -> tuple[str, ...]:
        """The persistent nodes that must exist before anything else of the stream."""
        return (self.election, self.terms, self.config_history)
