r"""Backpropagated vectors of a deep tanh network, in coordinates.

The tangent function of a weight w_ij of layer l is delta_i y_j, where delta_i is the derivative of
the outputs by z_i: delta_i = sigma'(z_i) sum_k w_ki delta_k. For a nonconstant unit of class I it
is the function D_I = tanh'(z_I) times a vector in the span of the layer above. Products D_I D_J ...
of descending layers are independent (the deep tanh theorem), so only these vectors matter: the span
of class I is counted in rho_I coordinates of its own, and no product is ever written out. A
constant unit passes on a multiple of its vector.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from llr.theory.arithmetic import Floats, Integers
from llr.theory.deep._exact_sums import BigIntegers, scaled_integers
from llr.theory.deep._unit_classes import LayerClasses
from llr.theory.two_layer import CONSTANT

__all__ = ["Deltas", "output_deltas", "pass_down", "pivot_columns"]


@dataclass(frozen=True)
class Deltas:
    """Vectors delta_i of the units of one layer, in coordinates modulo a prime.

    Attributes:
        n_coordinates: number of coordinates so far, those of the layers above first.
        n_new: number of coordinates that belong to this layer.
        blocks: for each class, its units (those with delta != 0), the first of its coordinates,
            and the units' coordinates (units, rho) in them.
        passed: for constant units with delta != 0, their vector in all coordinates above.
    """

    n_coordinates: int
    n_new: int
    blocks: Sequence[tuple[Integers, int, BigIntegers]]
    passed: dict[int, BigIntegers] = field(default_factory=dict)


def output_deltas(n_outputs: int) -> Deltas:
    """The outputs: a coordinate each."""
    one = np.ones((1, 1), dtype=object)
    blocks = [(np.array([k]), k, one) for k in range(n_outputs)]
    return Deltas(n_outputs, n_outputs, blocks)


def pass_down(
    above: Deltas, weight: Floats, classes: LayerClasses, slopes: dict[int, int], prime: int
) -> Deltas:
    """The vectors of a layer from those of the layer above.

    Args:
        above: vectors of the layer above.
        weight: (m_{l+1}, m_l) weights into the layer above.
        classes: of this layer's units.
        slopes: sigma'(beta) of the constant units, modulo the prime.
        prime: modulus.
    """
    offset = above.n_coordinates
    blocks: list[tuple[Integers, int, BigIntegers]] = []
    one = np.ones((1, 1), dtype=object)
    alone = _alone(above, weight)
    single = np.append(classes.counts, 0)[classes.group] == 1  # CONSTANT = -1: the last, 0
    needed = np.arange(len(single)) if alone is None else np.flatnonzero(~single)
    vectors = dict(zip(needed.tolist(), _vectors(above, weight[:, needed], prime), strict=True))
    order = np.argsort(classes.group, kind="stable")
    bounds = np.searchsorted(classes.group[order], np.arange(classes.n_groups + 1))
    for start, stop in itertools.pairwise(bounds.tolist()):
        units = order[start:stop]
        if alone is None or len(units) > 1:
            units = units[[bool(vectors[unit].any()) for unit in units.tolist()]]
        else:
            units = units[alone[units]]
        if len(units) == 1:
            blocks.append((units, offset, one))
            offset += 1
        elif len(units):
            rows = np.stack([vectors[unit] for unit in units.tolist()])
            pivots = pivot_columns(rows, prime)
            blocks.append((units, offset, rows[:, pivots]))
            offset += len(pivots)
    passed = {
        unit: vectors[unit] * slopes[unit] % prime
        for unit in np.flatnonzero(classes.group == CONSTANT).tolist()
        if vectors[unit].any()
    }
    return Deltas(offset, offset - above.n_coordinates, blocks, passed)


def pivot_columns(vectors: BigIntegers, prime: int) -> list[int]:
    """Columns on which the restriction of the rows keeps their rank, by elimination."""
    rest, pivots = vectors.copy(), []
    column = 0
    while len(rest) and column < rest.shape[1]:
        nonzero = np.flatnonzero((rest != 0).any(axis=0)[column:])
        if len(nonzero) == 0:
            break
        column += int(nonzero[0])
        rows = np.flatnonzero(rest[:, column])
        pivots.append(column)
        first = rest[rows[0]] * pow(int(rest[rows[0], column]), -1, prime) % prime
        if len(rows) > 1:
            factors = rest[rows[1:], column]
            rest[rows[1:]] = (rest[rows[1:]] - factors[:, None] * first) % prime
        rest = np.delete(rest, rows[0], axis=0)
        column += 1
    return pivots


def _alone(above: Deltas, weight: Floats) -> np.ndarray | None:
    """Which units have delta != 0, where no vector above can cancel another; else None.

    The classes above have one unit each, so their vectors are independent.
    """
    if above.passed or any(len(units) > 1 for units, _, _ in above.blocks):
        return None
    rows = [int(units[0]) for units, _, _ in above.blocks]
    return (weight[rows] != 0).any(axis=0)


def _vectors(above: Deltas, weight: Floats, prime: int) -> BigIntegers:
    """sum_k w_ki delta_k for some units i, (units, n_coordinates)."""
    whole, exponent = scaled_integers(weight)
    whole = whole * pow(2, exponent, prime) % prime
    vectors = np.zeros((weight.shape[1], above.n_coordinates), dtype=object)
    for units, first, coordinates in above.blocks:
        if len(units) == 1:
            vectors[:, first] = whole[units[0]]
        else:
            part = whole[units].T.dot(coordinates) % prime
            vectors[:, first : first + coordinates.shape[1]] += part
    for unit, vector in above.passed.items():
        used = np.flatnonzero(whole[unit])
        vectors[np.ix_(used, np.arange(len(vector)))] += np.outer(whole[unit, used], vector)
    return vectors % prime
