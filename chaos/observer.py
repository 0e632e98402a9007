"""All eyes and ears together, round by round; also whether they saw and heard anything."""

import time
from functools import partial
from typing import Final, Self

from chaos.ears import Ear
from chaos.eyes import Eye, Looks
from chaos.record import Record
from chaos.workload import MARK
from chaos.world import World

DEAF_AFTER_S: Final = 5.0
"""In health, nothing may be out of sight for longer."""


class Observer:
    """Watches a cluster from `__enter__` to `__exit__`; a round from `begin` to `end`."""

    def __init__(self, world: World) -> None:
        """Keep the cluster."""
        self._world = world
        self._looks = Looks(world)
        self._ears: list[Ear] = []
        self._eyes: list[Eye] = []
        self._logs: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._ears = [Ear(server) for server in self._world.redises]
        looks = self._looks
        self._eyes = [
            Eye("positions", looks.pair, 0.2),
            Eye("accounts", looks.sums, 0.05),
            Eye("dumps", looks.dumps, 0.7),
        ]
        self._eyes += [
            Eye(instance.member, partial(looks.standing, instance), 0.25) for instance in self._world.instances
        ]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        for eye in self._eyes:
            eye.close()
        for ear in self._ears:
            ear.close()
        self._looks.forget_zookeeper()

    def begin(self) -> Record:
        """Begin a round: a fresh record, which fills until `end`."""
        for ear in self._ears:
            ear.begin()
        self._logs = {instance.member: instance.log_bytes for instance in self._world.instances}
        record = Record(began=time.time())
        self._looks.record = record
        return record

    def end(self, record: Record) -> None:
        """Complete the record of the round."""
        record.heard = {ear.server.name: ear.take() for ear in self._ears}
        for instance in self._world.instances:
            lines = instance.events(self._logs.get(instance.member, 0))
            record.events += [(instance.member, line) for line in lines]
            record.ready[instance.member] = instance.get("/readyz")[0]
        record.leaked = self._leaks()
        record.ended = time.time()
        self._looks.record = Record()

    def await_heard(self, server: str, seq: int) -> None:
        """Wait until the ear at that server has come to this sequence; the judge says what it means if it does not."""
        [ear] = [each for each in self._ears if each.server.name == server]
        until = time.monotonic() + DEAF_AFTER_S
        while ear.highest < seq and time.monotonic() < until:
            time.sleep(0.05)

    @property
    def deaf(self) -> tuple[str, ...]:
        """What was not seen or heard lately, though all should be well."""
        now = time.time()
        eyes = [
            f"{eye.name} not seen for {now - eye.looked:.1f} s" for eye in self._eyes if now - eye.looked > DEAF_AFTER_S
        ]
        ears = [
            f"{ear.server.name} not heard for {now - ear.last_heard:.1f} s"
            for ear in self._ears
            if now - ear.last_heard > DEAF_AFTER_S
        ]
        return (*eyes, *ears)

    def _leaks(self) -> tuple[str, ...]:
        words = (MARK, f'"{self._world.source.reader_password}@', "MYSQL_PASSWORD=")
        found = []
        for instance in self._world.instances:
            start = self._logs.get(instance.member, 0)
            text = instance.log.read_bytes()[start:].decode(errors="replace") if instance.log.exists() else ""
            found += [f"{word} in the log of {instance.member}" for word in words if word in text]
        return tuple(found)
