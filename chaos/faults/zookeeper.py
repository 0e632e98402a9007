"""Faults of the ensemble: members lost, frozen, full, wiped, restored from an old copy, and bad configs in it."""

import shutil
from pathlib import Path
from typing import Any, ClassVar

from kazoo.client import KazooClient

from chaos.faults.fault import Fault, Scene
from chaos.instances import STREAM
from chaos.promise import Promise
from chaos.world import SESSION_TIMEOUT_S
from testbed import ZooKeeper, wait_until


def revive(member: ZooKeeper) -> None:
    """Have a member run again; others may be needed before it serves."""
    member.process.thaw()
    if not member.running:
        member.launch()


def revive_all(scene: Scene) -> None:
    """Have all members run and serve."""
    for member in scene.world.ensemble:
        revive(member)
    for member in scene.world.ensemble:
        member.wait_ready()


class MembersLost(Fault):
    """F8: a follower, the leader, the majority or all of ZooKeeper killed."""

    name: ClassVar[str] = "F8"
    title: ClassVar[str] = "ZooKeeper members killed"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=45)
    hold_s: ClassVar[tuple[float, float]] = (2.0, SESSION_TIMEOUT_S + 5)

    def begin(self, scene: Scene) -> None:
        """Kill some."""
        members = list(scene.world.ensemble)
        kind = scene.chance.choice(["follower", "leader", "majority", "all"])
        scene.note(kind)
        scene.undo(lambda: revive_all(scene))
        victims = {"majority": members[:2], "all": members}.get(kind)
        if victims is None:
            victims = [wait_until(f"there is a {kind}", lambda: scene.world.zookeeper(leads=kind == "leader"))]
        for member in victims:
            member.kill()


class FrozenEnsemble(Fault):
    """F9: all of ZooKeeper stopped for a while, or its disk full."""

    name: ClassVar[str] = "F9"
    title: ClassVar[str] = "ZooKeeper frozen, or its disk full"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=45)
    hold_s: ClassVar[tuple[float, float]] = (2.0, SESSION_TIMEOUT_S + 5)

    def begin(self, scene: Scene) -> None:
        """Do one of the two."""
        if scene.chance.random() < 0.5:
            scene.note("frozen")
            for member in scene.world.ensemble:
                scene.undo(member.thaw)
                member.freeze()
            return
        scene.note("disk full")
        scene.undo(lambda: revive_all(scene))
        scene.undo(fill(scene.world.directory / "zookeeper"))


def fill(place: Path) -> Any:
    """Fill the file system there; return how to empty it again."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(65536))
                file.flush()
        except OSError:
            pass
    return lambda: ballast.unlink(missing_ok=True)


class LostData(Fault):
    """F10: ZooKeeper comes back empty, or as it was some time ago."""

    name: ClassVar[str] = "F10"
    title: ClassVar[str] = "ZooKeeper wiped, or restored from an older copy"
    promise: ClassVar[Promise] = Promise(terms=6, budget_s=60, loses_zookeeper=True)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.0)

    def begin(self, scene: Scene) -> None:
        """Copy the data, let time pass, take all members down, and start them on the copy, or on nothing."""
        wiped = scene.chance.random() < 0.5
        scene.note("wiped" if wiped else "older copy")
        members = list(scene.world.ensemble)
        copies = scene.world.directory / "copies"
        shutil.rmtree(copies, ignore_errors=True)
        for member in members:
            shutil.copytree(member.directory / "data" / "version-2", copies / member.name)
        scene.sleep(2, 4)
        for member in members:
            member.kill()
        for member in members:
            member.wipe()
            if not wiped:
                shutil.copytree(copies / member.name, member.directory / "data" / "version-2")
        revive_all(scene)
        if wiped:
            scene.world.apply_config()


class BadConfig(Fault):
    """F31: instances restarted one after the other, and a config in ZooKeeper that is broken, huge or gone."""

    name: ClassVar[str] = "F31"
    title: ClassVar[str] = "rolling restart, bad config in ZooKeeper"
    promise: ClassVar[Promise] = Promise(terms=6, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (1.0, 2.0)

    def begin(self, scene: Scene) -> None:
        """Break the config, or restart one instance after the other."""
        kind = scene.chance.choice(["invalid", "huge", "deleted", "rolling restart"])
        scene.note(kind)
        if kind == "rolling restart":
            self._roll(scene)
            return
        client = KazooClient(hosts=",".join(member.address for member in scene.world.ensemble), timeout=4)
        client.start(10)
        path = f"/hasync/streams/{STREAM}/config"
        good, _ = client.get(path)

        def undo() -> None:
            if client.exists(path):
                client.set(path, good)
            else:
                client.create(path, good)
            client.stop()
            client.close()

        scene.undo(undo)
        if kind == "deleted":
            client.delete(path)
        else:
            client.set(path, b"{no config at all" if kind == "invalid" else b"#" * 900_000)

    def _roll(self, scene: Scene) -> None:
        for instance in scene.world.instances:
            code = instance.process.stop(20)
            if code != 0:
                scene.trouble.append(f"{instance.member} ended with {code} on SIGTERM")
            instance.revive()
            wait_until("all are back", lambda: scene.world.settled, timeout_s=40, poll_s=0.2)
