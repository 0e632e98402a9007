"""Faults of Redis: killed, emptied, failed over in order or with losses, split from its replica."""

import shutil
from typing import ClassVar

import redis as redis_py

from chaos.faults.fault import Fault, Scene
from chaos.instances import STREAM
from chaos.promise import Promise
from testbed import DeadlineError, Redis, wait_until


def primary_of(scene: Scene) -> Redis:
    """Return the primary; waits for one."""
    return wait_until("there is a Redis primary", scene.world.primary, timeout_s=30)


def revive(server: Redis) -> None:
    """Have it run again and answer."""
    if not server.running:
        server.launch()
    wait_until(f"{server.name} answers", lambda: _answers(server), timeout_s=20)


def _answers(server: Redis) -> bool:
    try:
        return bool(server.command("PING"))
    except (redis_py.RedisError, OSError):
        return False


def replicating(scene: Scene) -> bool:
    """Whether one server is the primary and the other one follows it."""
    roles = []
    for server in scene.world.redises:
        try:
            info = server.info("replication")
        except (redis_py.RedisError, OSError):
            return False
        roles.append("slave" if info.get("master_link_status") == "up" else str(info["role"]))
    return sorted(roles) == ["master", "slave"]


def whole(scene: Scene) -> None:
    """Have both servers run, one following the other."""
    for server in scene.world.redises:
        revive(server)
    wait_until("the replica follows", lambda: replicating(scene), timeout_s=45, poll_s=0.2)


def failed_over(scene: Scene, old: Redis) -> None:
    """Wait until the Sentinels have chosen another one."""

    def other() -> bool:
        found = scene.world.primary()
        return found is not None and found is not old

    wait_until("the Sentinels chose another primary", other, timeout_s=30, poll_s=0.1)


class Killed(Fault):
    """F19: the primary SIGKILLed: back at once with its AOF, after a failover, or empty."""

    name: ClassVar[str] = "F19"
    title: ClassVar[str] = "Redis primary SIGKILLed"
    promise: ClassVar[Promise] = Promise(
        terms=8, budget_s=60, loses_redis=True, empties_redis=True, redis_kills=2, moves=True
    )
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.5)

    def begin(self, scene: Scene) -> None:
        """Kill it in one of three ways."""
        kind = scene.chance.choice(["back at once", "after a failover", "back empty"])
        scene.note(kind)
        server = primary_of(scene)
        scene.undo(lambda: whole(scene))
        if kind == "back empty":
            self._empty(scene, server)
            return
        server.kill()
        if kind == "back at once":
            revive(server)
        else:
            failed_over(scene, server)

    def _empty(self, scene: Scene, server: Redis) -> None:
        """Restart it without its data before any Sentinel notices: replicas then copy the emptiness."""
        scene.remedy(lambda: self._remedy(scene))
        server.kill()
        for path in server.directory.glob("appendonlydir"):
            shutil.rmtree(path)
        revive(server)

    def _remedy(self, scene: Scene) -> None:
        """Do what the halted stream asks for: everything is there in the binlog, from its beginning."""
        whole(scene)
        server = primary_of(scene)
        if server.command("GET", f"hasync:{{{STREAM}}}:state"):
            scene.note("not emptied: a failover came first")
            return
        try:
            wait_until("the stream halts", lambda: self._halted(scene), timeout_s=30)
        except DeadlineError:
            scene.trouble.append("Redis was empty, and no instance said that the stream is halted")
        scene.world.hasync("pause", "--stream", STREAM, "--wait", "--within", "30s")
        server.command("FLUSHALL")
        scene.world.hasync("position", "reset", "--stream", STREAM, "--to-earliest", "--execute", "--yes")
        scene.world.hasync("resume", "--stream", STREAM)

    def _halted(self, scene: Scene) -> bool:
        return any("halt" in each.state for each in scene.world.instances)


class FailedOver(Fault):
    """F20: a failover by the Sentinels: in order, or with the replica behind, so that acknowledged writes are lost."""

    name: ClassVar[str] = "F20"
    title: ClassVar[str] = "Redis failover, graceful or with losses"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=45, loses_redis=True, redis_kills=2)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 2.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the two."""
        server = primary_of(scene)
        scene.undo(lambda: whole(scene))
        if scene.chance.random() < 0.4:
            scene.note("graceful")
            wait_until("the replica follows", lambda: replicating(scene), timeout_s=20)
            scene.world.sentinels[0].command("SENTINEL", "FAILOVER", "main")
            failed_over(scene, server)
            return
        scene.note("with losses")
        lose_writes(scene, server)


def lose_writes(scene: Scene, server: Redis) -> None:
    """Cut the replica off, let writes be acknowledged that it never gets, kill the primary, wait for the failover."""
    other = next(each for each in scene.world.redises if each is not server)
    cut = scene.world.nodes[server.name].block([other.host])
    scene.sleep(0.5, 0.9)
    server.kill()
    cut.undo()
    failed_over(scene, server)


class OldPrimary(Fault):
    """F21: the old primary and the leader are cut off together from all that matters of Redis; it stays writable."""

    name: ClassVar[str] = "F21"
    title: ClassVar[str] = "isolated old Redis primary, still written to"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=45, loses_redis=True)
    hold_s: ClassVar[tuple[float, float]] = (1.0, 3.0)

    def begin(self, scene: Scene) -> None:
        """Split: {old primary, leader, one Sentinel} and the rest, ZooKeeper and the database reachable from both."""
        server = primary_of(scene)
        leader = scene.leader
        other = next(each for each in scene.world.redises if each is not server)
        rest = [other.host, *(sentinel.host for sentinel in scene.world.sentinels[1:])]
        others = [each.node.address for each in scene.world.instances if each is not leader]
        scene.undo(lambda: whole(scene))
        scene.undo(scene.world.nodes[server.name].block([*rest, *others]))
        scene.undo(scene.world.nodes["s1"].block([*rest, *others]))
        scene.undo(leader.node.block(rest))
        failed_over(scene, server)
        if scene.chance.random() < 0.5:
            scene.note("the leader loses ZooKeeper too")
            scene.undo(leader.node.block(scene.addresses("zk")))


class LostFence(Fault):
    """F22: a failover loses the claim of the new leader, and the old one wakes up."""

    name: ClassVar[str] = "F22"
    title: ClassVar[str] = "fence lost in a failover, the zombie wakes"
    promise: ClassVar[Promise] = Promise(terms=6, budget_s=60, loses_redis=True, redis_kills=2)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.5)

    def begin(self, scene: Scene) -> None:
        """Stop the leader, cut the replica off, let another one claim, kill the primary, wake the old leader."""
        server = primary_of(scene)
        other = next(each for each in scene.world.redises if each is not server)
        scene.undo(lambda: whole(scene))
        scene.undo(scene.leader.thaw)
        scene.leader.freeze()
        cut = scene.world.nodes[server.name].block([other.host])
        rest = [each for each in scene.world.instances if each is not scene.leader]
        wait_until("another one leads", lambda: any(each.state == "leader" for each in rest), timeout_s=30)
        server.kill()
        cut.undo()
        failed_over(scene, server)
        scene.leader.thaw()
