"""Plays rounds until time is up: a cluster is made, and made anew after a round that did not heal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.catalog import faults
from chaos.faults.fault import TROUBLE
from chaos.observer import Observer
from chaos.report import Report
from chaos.round import Round, Stage
from chaos.schedule import Turn
from chaos.workload import Workload
from chaos.world import World
from testbed import DatabaseName, MissingError, workdir

UNHEALED: Final = frozenset({"I1", "I10"})
"""A round that broke one of these may leave a cluster that spoils the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``turns`` are played until ``seconds`` are over, or they are."""

    seed: str
    database: DatabaseName
    seconds: float
    turns: Iterator[Turn]
    folder: Path


@contextmanager
def stage(plan: Plan, number: int) -> Iterator[Stage]:
    """Give a fresh cluster under load, and end it."""
    with workdir() as directory:
        world = World(directory, plan.database)
        try:
            world.start()
            workload = Workload(world.source, seed=number)
            world.start_instances()
            with Observer(world) as observer:
                made = Stage(world=world, workload=workload, observer=observer)
                made.measure()
                yield made
            workload.close()
        except BaseException:
            world.keep_logs(plan.folder / f"logs-{number}-broken")
            raise
        finally:
            world.close()


def play(plan: Plan) -> Report:
    """Play the plan; a signal, or a cluster that does not come up, ends it with a report of what was."""
    begun, done, fatal = time.monotonic(), list[Round](), ""
    try:
        _play(plan, done, begun + plan.seconds)
    except KeyboardInterrupt:
        fatal = "interrupted"
    except (*TROUBLE, MissingError) as error:
        fatal = f"the cluster could not be used: {type(error).__name__}: {error}"
    seconds = time.monotonic() - begun
    return Report(seed=plan.seed, database=plan.database, seconds=seconds, rounds=tuple(done), fatal=fatal)


def _play(plan: Plan, done: list[Round], until: float) -> None:
    waiting = next(plan.turns, None)
    while waiting is not None and (not done or time.monotonic() < until):
        begun = time.monotonic()
        with stage(plan, waiting.number) as made:
            say(f"cluster is up after {time.monotonic() - begun:.0f} s")
            while waiting is not None and (not done or time.monotonic() < until):
                done.append(_round(plan, made, waiting))
                waiting = next(plan.turns, None)
                if {violation.invariant for violation in done[-1].violations} & UNHEALED:
                    say("making a new cluster")
                    break


def _round(plan: Plan, made: Stage, turn: Turn) -> Round:
    one = made.play(turn.number, faults(turn.faults), turn.seed)
    say(
        f"{turn.number:4d}  {turn.faults:8}  {one.verdict:7}  gap {one.gap_s:5.2f} s  "
        f"healed in {one.converged_s:5.1f} s  "
        f"terms {one.terms}  took {one.took_s:5.1f} s  {', '.join(one.notes)} {one.not_run}".rstrip()
    )
    for violation in one.violations:
        say(f"      {violation}")
    if one.violations:
        made.world.keep_logs(plan.folder / f"logs-{turn.seed}")
    return one


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, flush=True)
