"""What all faults have in common."""

import random
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

import pymysql
import redis
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from chaos.instances import Instance
from chaos.network import Cut
from chaos.promise import Promise
from chaos.workload import Workload
from chaos.world import World
from testbed import DeadlineError, StartError, wait_until

TROUBLE: Final = (
    DeadlineError,
    StartError,
    RuntimeError,
    OSError,
    subprocess.SubprocessError,
    redis.RedisError,
    pymysql.MySQLError,
    KazooException,
    KazooTimeoutError,
)
"""What doing and undoing a fault may raise: the round has failed then, the run goes on."""


class NotRunError(Exception):
    """This machine cannot carry the fault out; the message says what it lacks.  Never counted as passed."""


class Scene:
    """Where a fault takes place: the cluster, its workload, the round's randomness, and what is to be undone."""

    def __init__(self, world: World, workload: Workload, chance: random.Random) -> None:
        """Begin with nothing to undo."""
        self.world = world
        self.workload = workload
        self.chance = chance
        self.notes: list[str] = []
        self.trouble: list[str] = []
        self._undone: list[Callable[[], object]] = []
        self._remedies: list[Callable[[], object]] = []
        self.leader = self.lead()
        self.epoch = 0

    def lead(self) -> Instance:
        """Return the instance that leads; waits for one."""
        return wait_until("an instance leads", self.world.leader, timeout_s=30)

    def undo(self, how: Callable[[], object] | Cut) -> None:
        """Remember how something is undone; the latest is undone first."""
        self._undone.append(how.undo if isinstance(how, Cut) else how)

    def remedy(self, how: Callable[[], object]) -> None:
        """Remember what an operator has to do when all faults are undone."""
        self._remedies.append(how)

    def heal(self) -> None:
        """Undo everything, then apply the remedies."""
        while self._undone:
            self._undone.pop()()
        while self._remedies:
            self._remedies.pop()()

    def addresses(self, *prefixes: str) -> list[str]:
        """Return the addresses of all nodes whose name begins so: "zk", "rd", "s", "db"."""
        kinds = {name: name.rstrip("0123456789") for name in self.world.nodes}
        return [node.address for name, node in self.world.nodes.items() if kinds[name] in prefixes]

    def note(self, text: str) -> None:
        """Say in the report what was chosen."""
        self.notes.append(text)

    def sleep(self, low_s: float, high_s: float) -> None:
        """Wait for a random time."""
        time.sleep(self.chance.uniform(low_s, high_s))


class Fault(ABC):
    """One fault.  ``begin`` does it and leaves in the scene how it is undone; ``hold_s``: how long it lasts."""

    name: ClassVar[str]
    title: ClassVar[str]
    promise: ClassVar[Promise] = Promise()
    hold_s: ClassVar[tuple[float, float]] = (1.0, 3.0)

    @abstractmethod
    def begin(self, scene: Scene) -> None:
        """Do it.

        Raises:
            NotRunError: It cannot be done on this machine.
        """
