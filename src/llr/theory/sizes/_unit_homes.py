"""Which spare units join which distinct unit, so that a network has r distinct ones.

A unit's home is where its kernel may be: a position, or everywhere. Spare units either copy a live
unit or a free one of their home, or are free themselves. Classes of equal units are spread so that
as few as possible lose rank: a class keeps it up to P live units or P + 1 free ones, where P is the
number of output weights of a unit (docs/theory/separation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

__all__ = ["UnitClass", "classes_of", "keep_rank", "least_distinct"]


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


def least_distinct(live_homes: Sequence[int], spare: Mapping[int, int]) -> int:
    """The least number of distinct units: spare ones without a live unit at home need a class."""
    return len(live_homes) + sum(1 for home, n in spare.items() if n and home not in live_homes)


def free_homes(live_homes: Sequence[int], spare: Mapping[int, int]) -> list[int]:
    """Where the first, second, ... class of free units is: first where there must be one."""
    left = {home: n for home, n in spare.items() if n}
    homes = [home for home in left if home not in live_homes]
    for home in homes:
        left[home] -= 1
    heap = [(-n, home) for home, n in left.items() if n]
    heapify(heap)
    while heap:
        n, home = heap[0]
        homes.append(home)
        if n < -1:
            heapreplace(heap, (n + 1, home))
        else:
            heappop(heap)
    return homes


def keep_rank(live_homes: Sequence[int], spare: Mapping[int, int], outputs: int) -> list[bool]:
    """Whether no class need lose rank, for each number of free classes 0, 1, 2, ..."""
    room = dict.fromkeys(spare, 0)
    for home in live_homes:
        if home in room:
            room[home] += outputs - 1
    crowded = {home for home, n in spare.items() if n > room[home]}
    kept = [not crowded]
    for home in free_homes(live_homes, spare):
        room[home] += outputs + 1
        if room[home] >= spare[home]:
            crowded.discard(home)
        kept.append(not crowded)
    return kept


def classes_of(
    live_homes: Sequence[int], spare: Mapping[int, int], distinct: int, outputs: int
) -> list[UnitClass]:
    """Classes with a given number of distinct units in all."""
    classes = [UnitClass(home, i, 0) for i, home in enumerate(live_homes)]
    left = dict(spare)
    for home in free_homes(live_homes, spare)[: distinct - len(live_homes)]:
        classes.append(UnitClass(home, None, 1))
        left[home] -= 1
    for home, rest in left.items():
        n = rest
        # Free classes first: they keep their rank longest.
        here = [one for one in classes if one.home == home]
        at_home = sorted(here, key=lambda one: one.live is not None)
        for one in at_home:
            most = outputs if one.live is not None else outputs + 1
            more = min(n, most - one.spare - (one.live is not None))
            one.spare += more
            n -= more
        if n:
            at_home[0].spare += n
    return classes
