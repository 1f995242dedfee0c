"""The schedule: which faults, when, and for how long. It depends on the seed and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class PlannedFault:
    """A fault of a round, from `start` seconds after the beginning of the round, for `seconds`."""

    name: str
    start: float
    seconds: float
    seed: int


@dataclass(frozen=True)
class Round:
    """Faults that are mended together: then the writers stop, and the installation must come to rest."""

    number: int
    faults: tuple[PlannedFault, ...]

    @property
    def names(self) -> list[str]:
        """Return the names of the faults."""
        return [fault.name for fault in self.faults]

    def __str__(self) -> str:
        faults = " + ".join(
            f"{fault.name} ({fault.start:.1f}-{fault.start + fault.seconds:.1f} s)" for fault in self.faults
        )
        return f"{self.number:3} {faults}"


def rounds(seed: int, names: Sequence[str], *, pairs: float = 0.4) -> Iterator[Round]:
    """Yield rounds without end: every fault once in random order, then in another order, and so on.

    Args:
        seed: Two schedules with the same seed and names are equal.
        names: The faults to choose from.
        pairs: The share of rounds with a second fault, which breaks something else.
    """
    random = Random(f"schedule {seed}")
    number = 0
    while True:
        for name in random.sample(names, len(names)):
            number += 1
            first = _planned(name, random.uniform(0.5, 1.5), random)
            others = [other for other in names if not _exclude_each_other(name, other)]
            faults = [first]
            if others and random.random() < pairs:
                start = random.uniform(first.start, first.start + first.seconds)
                faults.append(_planned(random.choice(others), start, random))
            yield Round(number, tuple(faults))


def _exclude_each_other(name: str, other: str) -> bool:
    """Return whether two faults may not overlap: both break the same server or the same network."""
    first, second = name.split(), other.split()
    return first[0] == second[0] and (first[0] != "network" or first[2] == second[2])


def _planned(name: str, start: float, random: Random) -> PlannedFault:
    # Some faults are shorter than the time-outs of the service (2 s here), some longer.
    return PlannedFault(
        name,
        round(start, 1),
        round(random.choice((0.4, 1.0, 3.0, 5.0)) * random.uniform(0.8, 1.4), 1),
        random.randrange(2**32),
    )
