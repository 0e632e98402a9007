"""One case: a scene, its mutation and how it is read, all drawn from a seed and a number."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.corpus import Scene
from tests.fuzz.mutations import mutated
from tests.fuzz.oracle import Finding, judge
from tests.fuzz.target import Setup


@dataclass(frozen=True, slots=True)
class Case:
    """What is fed, and in words how it came about."""

    scene: Scene
    packets: Sequence[bytes]
    setup: Setup
    story: Sequence[str]

    def __str__(self) -> str:
        """The story in one line."""
        return f"{self.scene.flavor.value}/{self.scene.name}, {self.setup}: {'; '.join(self.story) or 'unchanged'}"


def case_of(scenes: Sequence[Scene], seed: str, number: int) -> Case:
    """Return the case; the same for the same arguments, on any machine."""
    dice = random.Random(f"{seed}:{number}")
    scene = dice.choice(scenes)
    setup = Setup.drawn(dice)
    packets, story = mutated(scene, dice)
    return Case(scene, packets, setup, story)


def run(case: Case) -> tuple[str, list[Finding]]:
    """Run a case; an exception that is not hasync's own is a finding too."""
    try:
        return judge(case.scene, case.packets, case.setup)
    except Exception as foreign:  # noqa: BLE001 - any that escapes hasync is what we look for
        return "foreign", [Finding(f"foreign error: {type(foreign).__name__}", _where(foreign))]


def _where(error: Exception) -> str:
    """Return the error and the innermost frame that it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    frame = f" in {re.sub(r'.*/(?=hasync/|tests/)', '', code.co_filename)}:{code.co_name}" if code else ""
    return f"{error}{frame}"
