"""Faults of an instance's machine: its clock, its disk, its limits, its names."""

import os
import subprocess
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from chaos.faults.fault import Fault, NotRunError, Scene
from chaos.faults.zookeeper import fill
from chaos.instances import STREAM, Instance
from chaos.promise import Promise
from testbed import DeadlineError, wait_until
from testbed.workdirs import cache

CGROUPS: Final = Path("/sys/fs/cgroup")
GROUP: Final = "hasync-chaos"
OOM_LIMIT: Final = "30M"
FAKETIME: Final = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "faketime-tree-1/usr/lib/*/faketime/libfaketimeMT.so.1")


def faketime() -> Path:
    """Return libfaketime's library. Raises NotRunError when it is not there."""
    found = [*Path("/").glob(FAKETIME[0].lstrip("/")), *cache().glob(FAKETIME[1])]
    if not found:
        raise NotRunError("libfaketime is missing; scripts/tools/faketime.sh brings it")
    return found[0]


class ClockJump(Fault):
    """F28: an instance's wall clock jumps by an hour, there and back, while it leads."""

    name: ClassVar[str] = "F28"
    title: ClassVar[str] = "leader's clock jumps by an hour"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (3.0, 5.0)

    def begin(self, scene: Scene) -> None:
        """Start it anew under libfaketime, make it lead, and turn its clock."""
        library, victim = faketime(), scene.leader
        clock = scene.world.directory / f"{victim.member}.clock"
        clock.write_text("+0\n")
        scene.undo(lambda: _restart(scene, victim, {}))
        _restart(
            scene,
            victim,
            {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            },
        )
        wait_until(f"{victim.member} leads", lambda: _leads(scene, victim), timeout_s=40, poll_s=1)
        jump = scene.chance.choice(["+3600", "-3600"])
        scene.note(f"{jump} s")
        clock.write_text(f"{jump}\n")


def _leads(scene: Scene, victim: Instance) -> bool:
    """Ask that it leads; refused for as long as its own look at the servers is not done."""
    if victim.state != "leader":
        scene.world.hasync("switchover", "--stream", STREAM, "--to", victim.member, "--yes", check=False)
    return victim.state == "leader"


def _restart(scene: Scene, victim: Instance, more: dict[str, str]) -> None:
    victim.process.stop(20)
    victim.start(**more)
    wait_until("all are back", lambda: scene.world.settled, timeout_s=40, poll_s=0.2)


class Starved(Fault):
    """F29: the leader's disk full, no descriptors left, killed for memory, or starved of CPU."""

    name: ClassVar[str] = "F29"
    title: ClassVar[str] = "leader's disk, descriptors, memory or CPU exhausted"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (2.0, 5.0)

    def begin(self, scene: Scene) -> None:
        """Do one of the four."""
        kind = scene.chance.choice(["disk full", "descriptors", "memory", "cpu"])
        scene.note(kind)
        {"disk full": self._disk, "descriptors": self._files, "memory": self._memory, "cpu": self._cpu}[kind](scene)

    def _disk(self, scene: Scene) -> None:
        scene.undo(fill(scene.world.directory / "logs"))

    def _files(self, scene: Scene) -> None:
        pid = scene.leader.worker
        used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        _limit(pid, used)
        scene.undo(lambda: _limit(pid, 1024))
        scene.leader.node.hang_up(scene.addresses("rd"))

    def _memory(self, scene: Scene) -> None:
        """Leave the leader's next worker less memory than it needs: the kernel kills it, its supervisor lives on."""
        victim, group = scene.leader, _group("memory")
        scene.undo(lambda: _dissolve(group))
        _write(group / "memory.limit_in_bytes", OOM_LIMIT)
        _write(group / "cgroup.procs", str(victim.process.pid))
        victim.kill_worker()
        try:
            wait_until("the kernel kills a worker for its memory", lambda: _oom_kills(group), timeout_s=20)
        except DeadlineError as error:
            raise NotRunError(f"no process was killed for its memory: {error}") from error
        if not victim.process.running:
            scene.trouble.append("the supervisor died with its worker")

    def _cpu(self, scene: Scene) -> None:
        group = _group("cpu")
        scene.undo(lambda: _dissolve(group))
        _write(group / "cpu.cfs_quota_us", "5000")  # of 100000
        for pid in scene.leader.pids:
            _write(group / "cgroup.procs", str(pid))


def _oom_kills(group: Path) -> bool:
    lines = (group / "memory.oom_control").read_text().splitlines()
    return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in lines)


def _limit(pid: int, files: int) -> None:
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={files}:"], capture_output=True, check=False)


def _group(kind: str) -> Path:
    group = CGROUPS / kind / f"{GROUP}-{os.getpid()}"
    try:
        group.mkdir(exist_ok=True)
    except OSError as error:
        raise NotRunError(f"no {kind} cgroup (version 1) can be made here: {error.strerror}") from error
    return group


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise NotRunError(f"{file} cannot be written: {error.strerror}") from error


def _dissolve(group: Path) -> None:
    for pid in (group / "cgroup.procs").read_text().split():
        _write(group.parent / "cgroup.procs", pid)
    group.rmdir()


def sweep() -> None:
    """Remove the control groups of runs that were killed; nothing else of them can be left."""
    for group in CGROUPS.glob(f"*/{GROUP}-*"):
        pid = group.name.rpartition("-")[2]
        if not Path(f"/proc/{pid}").exists() and not (group / "cgroup.procs").read_text().split():
            group.rmdir()


BACKENDS: Final = {"zk": "ZooKeeper", "db": "databases", "s": "Sentinels"}


class Names(Fault):
    """F33: a backend's name does not resolve, or resolves to another address, and connections break."""

    name: ClassVar[str] = "F33"
    title: ClassVar[str] = "DNS failure, address change"
    promise: ClassVar[Promise] = Promise(terms=4, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (2.0, 5.0)

    def begin(self, scene: Scene) -> None:
        """Take names away from, or give new addresses to, all instances."""
        prefix = scene.chance.choice(["zk", "db", "s"])
        moved = scene.chance.random() < 0.5 and prefix != "s"
        scene.note(f"{BACKENDS[prefix]} {'moved' if moved else 'unknown'}")
        old = scene.addresses(prefix)
        names = {name: address for name, address in scene.world.names.items() if address not in old}
        if moved:
            nodes = scene.world.nodes
            names |= {name: nodes[name].moved_address for name, at in scene.world.names.items() if at in old}
        for node in scene.world.workers:
            node.resolve(names)
            scene.undo(partial(node.resolve, scene.world.names))
            if moved:
                scene.undo(node.block(old, how="reset"))
            node.hang_up([*old, *scene.addresses("rd")] if prefix == "s" else old)
