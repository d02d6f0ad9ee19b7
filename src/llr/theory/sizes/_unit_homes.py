"""Which spare units join which distinct unit, so that a network has r distinct ones.

A unit's home is where its kernel may be: a position, or everywhere. Spare units either copy a live
unit or a free one of their home, or are free themselves. Classes of equal units are spread so that
as few as possible lose rank: a class keeps it up to P live units or P + 1 free ones, where P is the
number of output weights of a unit (docs/theory/separation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["UnitClass", "classes_of", "least_distinct"]


@dataclass
class UnitClass:
    """Units that are equal.

    Attributes:
        home: where they are.
        live: the place of the live unit in its list, None for free units.
        spare: how many spare units are in the class.
    """

    home: int
    live: int | None
    spare: int

    def keeps_rank(self, outputs: int) -> bool:
        """Whether the class loses no rank, for that many output weights per unit."""
        size = self.spare + (self.live is not None)
        return size <= (outputs if self.live is not None else outputs + 1)


def least_distinct(live_homes: Sequence[int], spare: Mapping[int, int]) -> int:
    """The least number of distinct units: spare ones without a live unit at home need a class."""
    return len(live_homes) + sum(1 for home, n in spare.items() if n and home not in live_homes)


def classes_of(
    live_homes: Sequence[int], spare: Mapping[int, int], distinct: int, outputs: int
) -> list[UnitClass]:
    """Classes with a given number of distinct units in all."""
    classes = [UnitClass(home, i, 0) for i, home in enumerate(live_homes)]
    left = {home: n for home, n in spare.items() if n}
    required = [home for home in left if home not in live_homes]
    for place in range(distinct - len(live_homes)):
        home = required[place] if place < len(required) else max(left, key=lambda h: left[h])
        classes.append(UnitClass(home, None, 1))
        left[home] -= 1
    for home, n in left.items():
        at_home = [one for one in classes if one.home == home]
        for _ in range(n):
            # Free classes first: they keep their rank longest.
            best = min(at_home, key=lambda one: (_crowded(one, outputs), one.live is not None))
            best.spare += 1
    return classes


def _crowded(one: UnitClass, outputs: int) -> bool:
    """Whether one more unit costs rank."""
    grown = UnitClass(one.home, one.live, one.spare + 1)
    return not grown.keeps_rank(outputs)
