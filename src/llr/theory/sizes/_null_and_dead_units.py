"""How many dimensions spare units add to the target set of a network of any depth.

A narrow network in a wider one has spare units in its hidden layers. Those of a layer are all null
(no weights into live units; their own incoming weights are free) or all dead (all zero going in, so
that they are sigma(0) = 0; their outgoing weights are free). Every choice expresses the target, so
the largest count is a lower bound of the dimension of the target set.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["spare_dimensions"]


def spare_dimensions(
    sizes: Sequence[int], live: Sequence[int], biases: Sequence[bool], *, zero_at_zero: bool
) -> int:
    """Largest number of free parameters over null and dead spare units.

    Args:
        sizes: d, m_1..m_(L-1), c of the model.
        live: the same of the target, at most as large.
        biases: whether layers 1..L have biases.
        zero_at_zero: whether sigma(0) = 0; otherwise no unit can be dead.

    Returns:
        The number of parameters that are free.
    """
    kinds = (False, True) if zero_at_zero else (False,)
    best = {False: 0}  # by whether the spare units of the layer below are dead
    for l in range(1, len(sizes)):
        spare, below = sizes[l] - live[l], sizes[l - 1] - live[l - 1]
        best = {
            dead: max(
                count + _into(spare, below, live[l - 1], live[l], biases[l - 1], was_dead, dead)
                for was_dead, count in best.items()
            )
            for dead in kinds
        }
    return max(best.values())


def _into(
    spare: int, below: int, live_below: int, live: int, bias: bool, dead_below: bool, dead: bool
) -> int:
    """Free weights into a layer: into live units from dead ones, and into spare units."""
    free = below * live if dead_below else 0
    if not dead:
        free += spare * (live_below + bias)
    if dead_below or not dead:
        free += below * spare
    return free
