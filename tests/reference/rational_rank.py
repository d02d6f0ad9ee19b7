"""Ranks in rational arithmetic: the definition, with fractions and no shortcut."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import NDArray

Rows = list[list[Fraction]]


def fractions_of(matrix: NDArray[np.float64]) -> Rows:
    """The exact values of a matrix of floats."""
    return [[Fraction(float(value)) for value in row] for row in matrix]


def rational_rank(rows: Sequence[Sequence[Fraction]]) -> int:
    """Gaussian elimination with fractions."""
    rest, rank = [list(row) for row in rows], 0
    for column in range(len(rest[0]) if rest else 0):
        pivot = next((i for i in range(rank, len(rest)) if rest[i][column]), None)
        if pivot is None:
            continue
        rest[rank], rest[pivot] = rest[pivot], rest[rank]
        for i in range(rank + 1, len(rest)):
            factor = rest[i][column] / rest[rank][column]
            rest[i] = [a - factor * b for a, b in zip(rest[i], rest[rank], strict=True)]
        rank += 1
    return rank


def matrix_product(a: Rows, b: Rows) -> Rows:
    """Product of two matrices."""
    columns = list(zip(*b, strict=True))
    return [[sum(x * y for x, y in zip(row, col, strict=True)) for col in columns] for row in a]


def linear_network_rank(weights: Sequence[NDArray[np.float64]]) -> int:
    """Rank of the derivatives of the entries of W_L ... W_1 by all entries of all W_l."""
    layers = [fractions_of(weight) for weight in weights]
    derivatives = []
    for l, layer in enumerate(layers):
        for i, j in product(range(len(layer)), range(len(layer[0]))):
            step = [
                [Fraction((a, b) == (i, j)) for b in range(len(layer[0]))]
                for a in range(len(layer))
            ]
            changed = [*layers[:l], step, *layers[l + 1 :]]
            total = changed[0]
            for factor in changed[1:]:
                total = matrix_product(factor, total)
            derivatives.append([entry for row in total for entry in row])
    return rational_rank(derivatives)
