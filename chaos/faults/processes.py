"""Faults of an instance's processes: killed, stopped, replaced, out of descriptors, memory or disk."""

import signal
import time
from functools import partial
from typing import ClassVar

from chaos.faults.fault import Fault, Scene
from chaos.instances import Instance
from chaos.promise import Promise
from chaos.world import SESSION_TIMEOUT_S
from testbed import DeadlineError, wait_until


class WorkerKill(Fault):
    """F1: SIGKILL of the leading worker, at a random phase; its supervisor closes its session."""

    name: ClassVar[str] = "F1"
    title: ClassVar[str] = "leader's worker SIGKILLed"
    promise: ClassVar[Promise] = Promise(terms=1, budget_s=20)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.5)

    def begin(self, scene: Scene) -> None:
        """Kill the worker, or (one in three) the whole instance, whose session has to run out."""
        victim = scene.leader
        scene.undo(victim.revive)
        scene.sleep(0, 0.3)
        if scene.chance.random() < 1 / 3:
            scene.note("supervisor and worker together")
            victim.kill()
            time.sleep(SESSION_TIMEOUT_S)
        else:
            victim.kill_worker()


class Freeze(Fault):
    """F2: SIGSTOP of the leader beyond its session, then SIGCONT: a zombie that does not know."""

    name: ClassVar[str] = "F2"
    title: ClassVar[str] = "leader SIGSTOPped beyond its session"
    promise: ClassVar[Promise] = Promise(terms=2, budget_s=25)
    hold_s: ClassVar[tuple[float, float]] = (SESSION_TIMEOUT_S + 1, SESSION_TIMEOUT_S + 3)

    def begin(self, scene: Scene) -> None:
        """Stop supervisor and worker, as a hypervisor does."""
        scene.undo(scene.leader.thaw)
        scene.leader.freeze()


class Terminations(Fault):
    """F32: SIGTERM after SIGTERM; each must hand over and exit with 0."""

    name: ClassVar[str] = "F32"
    title: ClassVar[str] = "SIGTERM storm, all workers killed"
    promise: ClassVar[Promise] = Promise(terms=10, budget_s=40)
    hold_s: ClassVar[tuple[float, float]] = (0.5, 1.5)

    def begin(self, scene: Scene) -> None:
        """End leader after leader in order, then kill all workers at once."""
        for _ in range(scene.chance.randrange(2, 4)):
            victim = scene.lead()
            victim.process.signal(signal.SIGTERM)
            try:
                code = wait_until(f"{victim.member} ends", partial(_ended, victim), timeout_s=15)
            except DeadlineError:
                scene.trouble.append(f"{victim.member} did not end within 15 s of SIGTERM")
                victim.kill()
                code = "0"
            if code != "0":
                scene.trouble.append(f"{victim.member} ended with {code} on SIGTERM")
            victim.revive()
        wait_until("all are back", lambda: scene.world.settled, timeout_s=40)
        for instance in scene.world.instances:
            scene.undo(instance.revive)
            instance.kill_worker()


def _ended(instance: Instance) -> str:
    code = instance.process.exit_code
    return "" if code is None else str(code)
