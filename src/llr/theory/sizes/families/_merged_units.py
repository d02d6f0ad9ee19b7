"""Hidden units with the same nonconstant function, merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from llr.theory.arithmetic import Floats, Integers
from llr.theory.two_layer import CONSTANT, TwoLayerNetwork

__all__ = ["MergedUnit", "constant_units", "exact_outputs", "merge_groups", "rounded"]


@dataclass(frozen=True)
class MergedUnit:
    """One group of units of a target.

    Attributes:
        unit: the unit that stands for it, with the largest output weight.
        members: the units with a nonzero output weight.
        net: (c,), the coefficients of that unit's function.
    """

    unit: int
    members: tuple[int, ...]
    net: tuple[Fraction, ...]


def exact_outputs(network: TwoLayerNetwork, unit: int) -> list[Fraction]:
    """The output weights of a unit."""
    return [Fraction(a) for a in network.units.output[unit].tolist()]


def constant_units(network: TwoLayerNetwork) -> Integers:
    """The live units with zero input weights."""
    live = (network.units.output != 0).any(axis=1)
    return np.flatnonzero(live & ~(network.units.weights != 0).any(axis=1))


def merge_groups(
    network: TwoLayerNetwork, group: Integers, factor: Sequence[Fraction | int]
) -> list[MergedUnit]:
    """Groups of units whose coefficients do not cancel.

    Args:
        network: the target.
        group: (N,), the group of each unit.
        factor: (N,), what turns the coefficient of each unit into that of its group's form.

    Returns:
        The groups, in order of appearance.
    """
    output = network.units.output
    members: dict[int, list[int]] = {}
    for unit in np.flatnonzero((output != 0).any(axis=1)).tolist():
        if group[unit] != CONSTANT:
            members.setdefault(int(group[unit]), []).append(unit)
    merged = []
    for units in members.values():
        best = max(units, key=lambda u: float(np.abs(output[u]).max()))
        net = [Fraction(0)] * output.shape[1]
        for u in units:
            ratio = Fraction(factor[u]) / Fraction(factor[best])
            net = [n + ratio * a for n, a in zip(net, exact_outputs(network, u), strict=True)]
        if any(net):
            merged.append(MergedUnit(best, tuple(units), tuple(net)))
    return merged


def rounded(vectors: Sequence[Sequence[Fraction]], n_outputs: int) -> Floats:
    """Rational vectors as an array (k, c)."""
    rows = [[float(v) for v in vector] for vector in vectors]
    return np.array(rows, dtype=np.float64).reshape(len(rows), n_outputs)
