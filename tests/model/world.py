"""What the model knows: the values of one moment, under the names that the code uses.

NamedTuples and not dataclasses, because millions of them are hashed and compared, which
tuples do in C. Everything that belongs to a member is inside it, so that members can
change places (see ``fingerprint``) and two states that differ in that only are one.

The source is ``len(Bounds.rows)`` committed rows. A *place* is how many of them lie
before it; ``lent.position`` makes a real Position of it, of which every second one is
inside a transaction (``rows_done`` 1), as when a transaction is larger than a batch.
"""

from collections.abc import Callable
from typing import NamedTuple

from hasync.model.resume import MissingStatePolicy


class Bounds(NamedTuple):
    """How far a run goes. Within them nothing is left out.

    ``rows``: one letter for each row: ``+`` counts (INCRBY: must have effect exactly
    once), ``h`` sets a field (HSET: may be repeated, may be refused). ``batch``: rows in
    a batch at most. ``faults``: how many faults there may be, of any kind in ``kinds``,
    at any moment. ``lag``: how many writes a failover loses at most. ``depth``: steps
    from the beginning at most, None for as many as there are.
    """

    members: int = 2
    rows: str = "++"
    batch: int = 2
    faults: int = 2
    kinds: frozenset[str] = frozenset()
    lag: int = 2
    policy: MissingStatePolicy = MissingStatePolicy.RESUME
    depth: int | None = None


class Written(NamedTuple):
    """The state key: :class:`hasync.model.state.SinkState`. ``place`` None: claimed, nothing applied yet."""

    epoch: int
    seq: int
    place: int | None
    redo_from: int | None = None

    @property
    def safe(self) -> int:
        """Everything before this place has had its effect for certain; here a new term resumes."""
        return (self.place or 0) if self.redo_from is None else self.redo_from


class Saved(NamedTuple):
    """The position in ZooKeeper: :class:`hasync.model.state.Acknowledged`. Stands for the znode's version, too."""

    epoch: int
    seq: int
    place: int


class Write(NamedTuple):
    """A transaction (MULTI ... EXEC): rows from ``begin`` to ``end`` and the new state.

    ``kind``: claim, batch, restore. ``waives``: a claim under ``on_missing_state: resume``,
    after which rows before its place may be absent.
    """

    kind: str
    state: Written
    begin: int = 0
    end: int = 0
    waives: bool = False


class Connection(NamedTuple):
    """A connection to a Redis server, and what is in its buffer.

    ``zombie``: it is to the old primary. ``watched``: "", "state" or "both" keys.
    ``dirty``: a watched key was written since WATCH. ``todo``: commands on the wire that
    the server has not run yet. ``executed``: whether EXEC ran the write (refused: with
    a refused command in it); "" before EXEC.
    """

    zombie: bool
    todo: tuple[str, ...]
    watched: str = ""
    dirty: bool = False
    write: Write | None = None
    executed: str = ""


class Member(NamedTuple):
    """One process. ``lock``: "", "held", or "gone" (its session is over, and it does not know).

    ``phase``: standby, peek, raise, claim, lead, restore, ended. ``saved``: what it
    believes ZooKeeper to hold. ``attempt``: sent, outcome unknown. ``batch``: the rows it
    is about to apply. ``orphans``: connections it has given up whose bytes may still
    arrive. ``leftover``: a save that hangs in the acknowledging thread of an ended term.
    ``claimed``/``landed``: the claim sent last, and whether the server ran it, which is
    how the code knows its own bytes again.
    """

    phase: str = "standby"
    lock: str = ""
    epoch: int = 0
    saved: Saved | None = None
    rewinds: bool = False
    seen: Written | None = None
    adopt: Written | None = None
    waives: bool = False
    claimed: Written | None = None
    landed: bool = False
    written: Written | None = None
    attempt: Written | None = None
    begin: int | None = None
    batch: tuple[int, int] | None = None
    connection: Connection | None = None
    orphans: tuple[Connection, ...] = ()
    leftover: tuple[Saved | None, Saved] | None = None


class Image(NamedTuple):
    """What one Redis server holds. ``claim``: the epoch announced, 0 for none.

    ``rows``: how often each row has had its effect. ``field``: the last ``h`` row, from
    1, in the hash field that they all set. ``waived``: rows before this place may be absent.
    """

    state: Written | None
    rows: tuple[int, ...]
    claim: int = 0
    field: int = 0
    waived: int = 0


class World(NamedTuple):
    """Everything. ``epoch``, ``saved``: the znodes; ``raised``: the epoch's record names the present lock.

    ``past``: images that a failover may fall back to, latest first. ``zombie``: the old
    primary, while it still takes writes. Ghosts, which only the invariants look at:
    ``lost`` (Redis has lost something), ``wiped`` (ZooKeeper has).
    """

    members: tuple[Member, ...]
    primary: Image
    faults: int
    past: tuple[Image, ...] = ()
    zombie: Image | None = None
    epoch: int = 0
    raised: bool = False
    saved: Saved | None = None
    lost: bool = False
    wiped: bool = False


Label = tuple[str, int]
"""What happened, and to which member (-1: none); ``{m}`` in the text is its name."""


class Broken(Exception):  # noqa: N818 - the finding, not an error of the checker
    """An invariant does not hold; the text says which and how."""


Step = tuple[Label, World | Broken]
"""One thing that may happen next, and what comes of it."""


def step(text: str, index: int, make: Callable[..., World], *arguments: object, **more: object) -> Step:
    """Return the step that ``make`` carries out, which may raise Broken."""
    try:
        return (text, index), make(*arguments, **more)
    except Broken as broken:
        return (text, index), broken


def beginning(bounds: Bounds) -> World:
    """Return the world in which nobody has led yet."""
    image = Image(state=None, rows=(0,) * len(bounds.rows))
    return World(members=(Member(),) * bounds.members, primary=image, faults=bounds.faults)


def fingerprint(world: World) -> int:
    """Return 64 bits that stand for the world, whichever way its members are ordered."""
    return hash((tuple(sorted(map(hash, world.members))), world[1:]))
