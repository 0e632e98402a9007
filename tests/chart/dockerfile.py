"""A Dockerfile as data: stages, and their instructions in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_WORDS: Final = """
ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR
"""
INSTRUCTIONS: Final = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its lines joined."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What follows a FROM; the first one, without a base, is what stands before all of them."""

    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        """Return the words of all instructions of a kind."""
        return [one.words for one in self.instructions if one.name == name]


def stages(path: Path) -> list[Stage]:
    """Read a Dockerfile. Raises ValueError for an instruction that there is not."""
    found = [Stage(base="")]
    for line in _lines(path.read_text(encoding="utf-8")):
        name, _, words = line.partition(" ")
        if name not in INSTRUCTIONS:
            raise ValueError(line)
        if name == "FROM":
            found.append(Stage(base=words))
        else:
            found[-1].instructions.append(Instruction(name, words.strip()))
    return found


def _lines(text: str) -> Iterator[str]:
    without = "".join(line for line in text.splitlines(keepends=True) if not re.match(r"\s*(#|$)", line))
    yield from (line.strip() for line in re.sub(r"\\\n\s*", "", without).splitlines())
