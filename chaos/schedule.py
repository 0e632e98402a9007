"""What is played in which order: a seeded deck, shuffled anew when it is used up."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One round to play.  ``seed`` says it all: run seed, number and faults."""

    number: int
    faults: str
    seed: str


def turns(seed: str, names: Sequence[str]) -> Iterator[Turn]:
    """Yield rounds without end: each name once in random order, then again in another order."""
    chance, number = random.Random(seed), 0
    while True:
        deck = list(names)
        chance.shuffle(deck)
        for name in deck:
            number += 1
            yield Turn(number=number, faults=name, seed=f"{seed}-{number}-{name}")


def again(seed: str) -> Turn:
    """Return the round of a seed that a report names. Raises ValueError."""
    parts = seed.rsplit("-", 2)
    if len(parts) != 3 or not parts[1].isdigit():
        raise ValueError(f"{seed!r} is no seed of a round, such as 7-12-F5xF12")
    return Turn(number=int(parts[1]), faults=parts[2], seed=seed)
