"""Least covers: which kernels express a set of neurons at the least cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cover", "Covers", "least_covers"]

NODE_LIMIT = 60_000
"""Branches searched for one class of kernels before the answer is given as bounds."""


@dataclass(frozen=True)
class Cover:
    """A choice of sets that cover what is wanted.

    Attributes:
        cost: size of the union, plus the price of each set.
        chosen: indices of the sets.
    """

    cost: int
    chosen: tuple[int, ...]


@dataclass(frozen=True)
class Covers:
    """The cheapest covers for each number of sets that pays off.

    Attributes:
        options: covers with increasing number of sets and decreasing cost.
        complete: whether the search was; if not, smaller or cheaper covers may exist.
        bound: lower bound of the cost; the least cost if the search was complete.
    """

    options: list[Cover]
    complete: bool
    bound: int


def least_covers(
    wanted: int, sets: Sequence[int], price: int, *, node_limit: int = NODE_LIMIT
) -> Covers:
    """Cheapest covers of ``wanted`` for each number of sets that pays off.

    The cost of a choice is the number of elements in its union plus ``price`` for each set.

    Args:
        wanted: elements to cover, as a bit mask.
        sets: the sets, bit masks; together they cover ``wanted``.
        price: of each set, positive.
        node_limit: number of branches after which the search stops.

    Returns:
        The covers.
    """
    largest = max(s.bit_count() for s in sets)
    # Elements in the same sets stand or fall together: keep one of each kind.
    kinds: dict[int, int] = {}  # the sets that contain it (a bit mask) -> the element
    rest = wanted
    while rest:
        element = rest & -rest
        rest ^= element
        kinds.setdefault(sum(1 << i for i, s in enumerate(sets) if s & element), element)
    by_choice = sorted(kinds.items(), key=lambda kind: kind[0].bit_count())
    best: dict[int, Cover] = {}  # by number of sets
    nodes = 0

    def beaten(count: int, cost: int) -> bool:
        return any(n <= count and cover.cost <= cost for n, cover in best.items())

    def needed(missing: int) -> int:
        """A lower bound of the sets still needed: elements no two of which share a set."""
        apart = taken = 0
        for within, element in by_choice:
            if element & missing and not within & taken:
                apart, taken = apart + 1, taken | within
        return max(apart, -(-missing.bit_count() // largest))

    def search(chosen: tuple[int, ...], union: int, allowed: int) -> None:
        nonlocal nodes
        nodes += 1
        missing = wanted & ~union
        if not missing:
            cost = union.bit_count() + price * len(chosen)
            if not beaten(len(chosen), cost):
                best[len(chosen)] = Cover(cost, chosen)
            return
        count = len(chosen) + needed(missing)
        if nodes > node_limit or beaten(count, (union | missing).bit_count() + price * count):
            return
        # Branch on the missing element that the fewest sets may still cover.
        choices = min(
            (within & allowed for within, element in kinds.items() if element & missing),
            key=int.bit_count,
        )
        options = [i for i in range(len(sets)) if choices >> i & 1]
        for i in sorted(options, key=lambda i: -(sets[i] & missing).bit_count()):
            allowed &= ~(1 << i)
            search((*chosen, i), union | sets[i], allowed)

    search((), 0, (1 << len(sets)) - 1)
    options: list[Cover] = []
    for count in sorted(best):
        if not options or best[count].cost < options[-1].cost:
            options.append(best[count])
    complete = nodes <= node_limit
    bound = max(wanted.bit_count(), largest if wanted else 0) + price * needed(wanted)
    return Covers(options, complete, options[-1].cost if complete else bound)
