"""Faults of the network between an instance and the servers, and of the instance's session."""

import time
from typing import Any, ClassVar, Final

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from chaos.faults.fault import Fault, Scene
from chaos.instances import STREAM
from chaos.network import HUB
from chaos.promise import Promise
from chaos.world import SESSION_TIMEOUT_S
from testbed import DeadlineError, Proxy, wait_until

LEADER: Final = f"/hasync/streams/{STREAM}/leader"
SECRET: Final = 0xB3415C00
"""What ZooKeeper's servers mix into a session's password (SessionTrackerImpl), so that an observer can make it too."""


def password_of(session: int) -> bytes:
    """Return a session's password: java.util.Random, seeded by the session, gives its 16 bytes."""
    state = ((session ^ SECRET) ^ 0x5DEECE66D) & ((1 << 48) - 1)
    words = []
    for _ in range(4):
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        words.append((state >> 16) & 0xFFFFFFFF)
    return b"".join(word.to_bytes(4, "little") for word in words)


ORPHAN: Final = f"{'0' * 32}__lock__"
"""As a contender's node is called; ZooKeeper adds the number."""


class Expiry(Fault):
    """F4: the leader's session expires while its connections to Redis and the database are fine."""

    name: ClassVar[str] = "F4"
    title: ClassVar[str] = "leader's ZooKeeper session expired"
    promise: ClassVar[Promise] = Promise(terms=1, budget_s=20)

    def begin(self, scene: Scene) -> None:
        """Close it from a second client."""
        hosts = ",".join(member.address for member in scene.world.ensemble)
        looker = KazooClient(hosts=hosts, timeout=4)
        looker.start(10)
        try:
            _, stat = looker.get(LEADER)
        finally:
            looker.stop()
            looker.close()
        session = stat.ephemeralOwner
        thief = KazooClient(hosts=hosts, timeout=4, client_id=(session, password_of(session & ((1 << 64) - 1))))
        thief.start(10)
        if thief.client_id[0] != session:
            scene.trouble.append("the leader's session could not be entered")
        thief.stop()
        thief.close()


class ZooKeeperCut(Fault):
    """F5: the leader cannot reach ZooKeeper: both ways, or one way only."""

    name: ClassVar[str] = "F5"
    title: ClassVar[str] = "leader cut off from ZooKeeper"
    promise: ClassVar[Promise] = Promise(terms=2, budget_s=25)
    hold_s: ClassVar[tuple[float, float]] = (SESSION_TIMEOUT_S - 2, SESSION_TIMEOUT_S + 4)

    def begin(self, scene: Scene) -> None:
        """Drop packets."""
        ways = scene.chance.choice(["both", "in", "out"])
        scene.note(f"ways: {ways}")
        scene.undo(scene.leader.node.block(scene.addresses("zk"), ways=ways))


class RedisCut(Fault):
    """F6: the leader cannot reach Redis and its Sentinels."""

    name: ClassVar[str] = "F6"
    title: ClassVar[str] = "leader cut off from Redis"
    promise: ClassVar[Promise] = Promise(terms=2, budget_s=30)
    hold_s: ClassVar[tuple[float, float]] = (2.0, 7.0)

    def begin(self, scene: Scene) -> None:
        """Drop packets, or answer with resets."""
        how = scene.chance.choice(["drop", "reset"])
        scene.note(how)
        scene.undo(scene.leader.node.block(scene.addresses("rd", "s"), how=how))


class DatabaseCut(Fault):
    """F7: the leader cannot reach the databases: silence, resets, or a connection broken once."""

    name: ClassVar[str] = "F7"
    title: ClassVar[str] = "leader cut off from the database"
    promise: ClassVar[Promise] = Promise(terms=2, budget_s=30)
    hold_s: ClassVar[tuple[float, float]] = (2.0, 7.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the three."""
        how = scene.chance.choice(["drop", "reset", "hang up"])
        scene.note(how)
        node, databases = scene.leader.node, scene.addresses("db")
        if how == "hang up":
            node.hang_up(databases)
        else:
            scene.undo(node.block(databases, how=how))


class BadNetwork(Fault):
    """F27: latency, a third of all packets lost, or a narrow line, between the leader and everything."""

    name: ClassVar[str] = "F27"
    title: ClassVar[str] = "bad network at the leader"
    promise: ClassVar[Promise] = Promise(terms=6, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (3.0, 6.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the three."""
        kind = scene.chance.choice(["latency", "loss", "narrow"])
        node = scene.leader.node
        if kind == "latency":
            delay_ms = scene.chance.choice([50, 150, 300])
            scene.note(f"Redis {delay_ms} ms away, each way")
            proxied(scene).latency_ms = delay_ms
        elif kind == "loss":
            scene.note("30 % of packets lost")
            scene.undo(node.lose(0.3))
        else:
            scene.note("16 kbit/s")
            scene.undo(node.narrow("16kbit"))


def proxied(scene: Scene) -> Proxy:
    """Put a proxy between the leader and Redis' primary; the leader has to connect anew, and does."""
    server = wait_until("there is a primary", scene.world.primary)
    proxy = Proxy((server.host, server.port), host=HUB).start()
    node = scene.leader.node

    def undo() -> None:
        cut.undo()
        proxy.close()

    cut = node.redirect(server.host, server.port, proxy.address)
    scene.undo(undo)
    node.hang_up([server.host])
    wait_until("the leader comes through the proxy", lambda: proxy.connections > 0, timeout_s=15)
    return proxy


class HeldRequest(Fault):
    """F3: a batch of the leader stays on its way to Redis, and arrives after another one has taken over."""

    name: ClassVar[str] = "F3"
    title: ClassVar[str] = "leader's batch delayed beyond a takeover"
    promise: ClassVar[Promise] = Promise(terms=3, budget_s=30)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.5)

    def begin(self, scene: Scene) -> None:
        """Hold the batch, stop its sender, wait for the next term, let the batch go."""
        proxy = proxied(scene)
        time.sleep(0.5)
        proxy.hold(b"EXEC")
        scene.undo(proxy.release)
        proxy.wait_held(10)
        scene.undo(scene.leader.thaw)
        scene.leader.freeze()
        others = [each for each in scene.world.instances if each is not scene.leader]
        wait_until("another one leads", lambda: any(each.state == "leader" for each in others), timeout_s=30)
        proxy.release()


class LostReply(Fault):
    """F25: Redis applies a batch, and its reply is lost; once to ten times."""

    name: ClassVar[str] = "F25"
    title: ClassVar[str] = "Redis' replies lost"
    promise: ClassVar[Promise] = Promise(terms=3, budget_s=30)

    def begin(self, scene: Scene) -> None:
        """Drop replies to batches."""
        proxy = proxied(scene)
        times = scene.chance.randrange(1, 11)
        scene.note(f"{times} replies")
        proxy.drop_replies(b"EXEC", times=times)
        scene.undo(proxy.restore)
        try:
            proxy.wait_dropped(1, 10)
        except TimeoutError:
            scene.trouble.append("no reply passed that could be dropped")


class Orphan(Fault):
    """F11: a contender that is no instance stands in the election, or an instance's name is taken."""

    name: ClassVar[str] = "F11"
    title: ClassVar[str] = "orphan contender, duplicate instance id"
    promise: ClassVar[Promise] = Promise(terms=2, budget_s=30)
    hold_s: ClassVar[tuple[float, float]] = (2.0, 4.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the three."""
        kind = scene.chance.choice(["an orphan that waits", "an orphan whose turn comes", "a duplicate id"])
        scene.note(kind)
        if kind == "a duplicate id":
            self._duplicate(scene)
            return
        self._stand(scene)
        if kind == "an orphan whose turn comes":  # those before it in the queue die, and queue up behind it
            for instance in scene.world.instances:
                scene.undo(instance.revive)
                instance.kill_worker()

    def _stand(self, scene: Scene) -> None:
        """Add a contender that never leads."""
        client = KazooClient(hosts=",".join(member.address for member in scene.world.ensemble), timeout=4)
        client.start(10)
        scene.undo(lambda: _end(client))
        client.create(f"/hasync/streams/{STREAM}/election/{ORPHAN}", b"orphan", ephemeral=True, sequence=True)

    def _duplicate(self, scene: Scene) -> None:
        """Start one more instance under the leader's name, on another node: it must not become one of them."""
        other = next(each for each in scene.world.instances if each is not scene.leader)
        process = other.twin(scene.leader.member)
        scene.undo(process.kill)
        process.start()
        refusal = "in use by a live process"
        try:
            wait_until(
                "the second one is refused", lambda: refusal in process.log.read_text(), timeout_s=40, poll_s=0.2
            )
        except DeadlineError as error:
            scene.trouble.append(f"a second {scene.leader.member}: {error}")


def _end(client: Any) -> None:
    try:
        client.stop()
        client.close()
    except KazooException:
        return
