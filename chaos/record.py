"""What the observer saw in one round, as plain values: all that the judge is given."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state key's content, as far as it is judged."""

    epoch: int
    seq: int
    gtid_set: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One line of a server's MONITOR, or of its silence; in the server's own order.

    ``kind``: ``write`` (the state key was set; ``peer``: by whom, an address), ``gone`` (it was deleted), ``look``
    (we read role and state in one step) or ``deaf`` (the connection was lost, or made: what was before is unknown).
    ``at``: seconds of the server's clock for a line, of ours otherwise (it is one machine).
    """

    kind: str
    at: float
    state: State | None = None
    peer: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """ZooKeeper's position, then the primary's state, then what the databases have executed; read in this order.

    ``source_has``: whether a database has everything the state says; None: it could not be asked.
    """

    at: float
    acknowledged_seq: int | None
    state: State | None
    source_has: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an instance said of itself, and what its processes used.  ``leads``: its epoch while it leads, else 0."""

    at: float
    member: str
    answered: bool
    state: str = ""
    leads: int = 0
    fds: int = 0
    threads: int = 0
    rss_mib: float = 0.0


@dataclass(slots=True, kw_only=True)
class Record:
    """One round.  Times are Unix seconds of this machine."""

    began: float = 0.0
    fault_at: float = 0.0
    healed_at: float = 0.0
    converged_at: float = 0.0
    ended: float = 0.0
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    sums: list[tuple[float, int]] = field(default_factory=list)
    """When all accounts were read in one step, and what they sum up to."""
    dumps: list[tuple[float, int]] = field(default_factory=list)
    """When, and how many binlog dumps of hasync's account ran on all databases."""
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    """Log lines of the instances (member, line)."""
    started: State | None = None
    """The primary's state when the round began."""
    final: State | None = None
    """The primary's state when it ended, and the server."""
    final_server: str = ""
    lost: int = 0
    doubled: int = 0
    different: int = 0
    different_keys: tuple[str, ...] = ()
    unacked: int = 0
    """Acknowledged entries that the database itself does not have."""
    leaked: tuple[str, ...] = ()
    """Where a row value or a secret was found."""
    ready: dict[str, int] = field(default_factory=dict)
    """Status of /readyz of each instance at the end."""
    leaders: tuple[str, ...] = ()
    """Who said it leads at the end."""
    ephemerals: int = 0
    """Ephemeral znodes at the end."""
    unseen: tuple[str, ...] = ()
    """What was out of sight or hearing in the end, though all should be well."""
    trouble: tuple[str, ...] = ()
    """What kept the round from being carried out as planned."""
