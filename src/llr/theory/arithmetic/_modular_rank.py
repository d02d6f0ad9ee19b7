"""Exact ranks of matrices of floating-point numbers, by arithmetic modulo a large prime.

Every finite float is a dyadic rational m 2^e. Reducing dyadic rationals modulo p = 2^61 - 1 is
a ring homomorphism, so the rank modulo p never exceeds the true rank, and falls short only if p
divides every maximal nonzero minor. A single entry never vanishes (a mantissa is below 2^53, and
2 is invertible), so blocks of one row or column are certain; for larger blocks a coincidence has
odds of about 2^-61 a pivot. No tolerance enters: equal means equal.

p is a Mersenne prime: products of two residues fit into 64-bit words split in halves, and 2^e is
a rotation, so that all of it is NumPy.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor

from llr.errors import InvalidInputError

__all__ = [
    "Floats",
    "Integers",
    "Residues",
    "SparseMatrix",
    "exact_array",
    "matrix_rank",
    "multiply",
    "residues",
    "sparse_rank",
]

PRIME = 2**61 - 1
Residues: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

_P = np.uint64(PRIME)
_LOW31, _LOW30 = np.uint64(2**31 - 1), np.uint64(2**30 - 1)
_S30, _S31, _S61 = np.uint64(30), np.uint64(31), np.uint64(61)


def exact_array(name: str, tensor: Tensor) -> Floats:
    """The tensor's values as float64, which holds every float16, bfloat16 and float32 exactly.

    Raises:
        InvalidInputError: if a value is complex, infinite or NaN.
    """
    if tensor.is_complex():
        raise InvalidInputError(f"{name} must be real, got dtype {tensor.dtype}.")
    values = tensor.detach().cpu().double().numpy()
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"{name} must be finite, got infinite or NaN entries. "
            "The training that made these parameters diverged; take an earlier state."
        )
    return values


def residues(values: Floats) -> Residues:
    """Floats modulo the prime."""
    mantissa, exponent = np.frexp(values)
    integer = (mantissa * 2.0**53).astype(np.int64)
    magnitude = np.abs(integer).astype(np.uint64)
    power = np.uint64(1) << ((exponent.astype(np.int64) - 53) % 61).astype(np.uint64)
    result = _times(magnitude, power)
    return np.where((integer < 0) & (result > 0), _P - result, result)


def multiply(a: Residues, b: Residues) -> Residues:
    """Matrix product of residues."""
    out = np.zeros((a.shape[0], b.shape[1]), dtype=np.uint64)
    for k in range(a.shape[1]):
        out = _reduce(out + _times(a[:, k, None], b[None, k, :]))
    return out


def matrix_rank(matrix: Residues) -> int:
    """Rank of a dense matrix of residues, by Gaussian elimination."""
    rest = (matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T).copy()
    rank = 0
    while rest.size:
        pivots = np.flatnonzero(rest[:, 0])
        if len(pivots) == 0:
            rest = rest[:, 1:]
            continue
        rank += 1
        inverse = np.array(pow(int(rest[pivots[0], 0]), -1, PRIME), dtype=np.uint64)
        pivot_row = _times(rest[pivots[0], 1:], inverse)
        below, first = pivots[1:], pivots[0]
        if len(below):
            change = _times(rest[below, :1], pivot_row[None, :])
            rest[below, 1:] = _reduce(rest[below, 1:] + (_P - change))
        rest[first] = rest[0]
        rest = rest[1:, 1:]
    return rank


class SparseMatrix:
    """A matrix collected entry by entry; entries at one place add up."""

    def __init__(self) -> None:
        self._parts: list[tuple[Integers, Integers, Floats]] = []

    def add(self, rows: Integers, columns: Integers, values: Floats) -> None:
        """Add entries, given as three arrays of shapes that broadcast together."""
        row, column, value = np.broadcast_arrays(rows, columns, values)
        self._parts.append((row.ravel(), column.ravel(), value.ravel()))

    def combined(self) -> tuple[Integers, Integers, Residues]:
        """Row, column and residue of the nonzero entries, those at one place added up."""
        empty = np.zeros(0, dtype=np.int64)
        rows = np.concatenate([empty, *(part[0] for part in self._parts)])
        columns = np.concatenate([empty, *(part[1] for part in self._parts)])
        values = np.concatenate([np.zeros(0), *(part[2] for part in self._parts)])
        order = np.lexsort((columns, rows))
        rows, columns, exact = rows[order], columns[order], residues(values[order])
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
        starts = np.flatnonzero(first)
        if len(starts) < len(rows):  # sums of halves cannot overflow
            low = np.add.reduceat(exact & _LOW31, starts)
            high = np.add.reduceat(exact >> _S31, starts)
            exact = _reduce(_reduce(low) + _times(_reduce(high), np.array(2**31, np.uint64)))
        keep = exact != 0
        return rows[starts][keep], columns[starts][keep], exact[keep]


def sparse_rank(matrix: SparseMatrix) -> int:
    """Exact rank of a sparse matrix: the sum over the blocks that share no row and no column."""
    rows, columns, values = matrix.combined()
    if len(values) == 0:
        return 0
    row_ids, rows = np.unique(rows, return_inverse=True)
    column_ids, columns = np.unique(columns, return_inverse=True)
    n_rows, n_columns = len(row_ids), len(column_ids)
    size = n_rows + n_columns
    graph = sparse.coo_array((np.ones(len(rows)), (rows, n_rows + columns)), shape=(size, size))
    n_blocks, block = csgraph.connected_components(graph, directed=False)
    thin = np.minimum(
        np.bincount(block[:n_rows], minlength=n_blocks),
        np.bincount(block[n_rows:], minlength=n_blocks),
    )
    rank = int((thin == 1).sum())
    wide = np.flatnonzero(thin[block[rows]] > 1)
    order = wide[np.argsort(block[rows[wide]], kind="stable")]
    starts = np.flatnonzero(np.diff(block[rows[order]], prepend=-1))
    known: dict[tuple[tuple[int, ...], bytes], int] = {}
    for entries in np.split(order, starts[1:]) if len(order) else []:
        dense = _dense(rows[entries], columns[entries], values[entries])
        key = (dense.shape, dense.tobytes())
        if key not in known:
            known[key] = matrix_rank(dense)
        rank += known[key]
    return rank


def _times(a: Residues, b: Residues) -> Residues:
    """Elementwise product modulo 2^61 - 1 of residues, in halves of 31 bits."""
    a_high, a_low = a >> _S31, a & _LOW31
    b_high, b_low = b >> _S31, b & _LOW31
    middle = a_low * b_high + a_high * b_low
    # a b = high 2^62 + middle 2^31 + low, with 2^61 = 1 and middle = m1 2^30 + m0.
    high = (a_high * b_high) << np.uint64(1)
    return _reduce(high + (middle >> _S30) + ((middle & _LOW30) << _S31) + a_low * b_low)


def _reduce(a: Residues) -> Residues:
    """A sum below 2^64 as a residue."""
    a = (a & _P) + (a >> _S61)
    return np.where(a >= _P, a - _P, a)


def _dense(rows: Integers, columns: Integers, values: Residues) -> Residues:
    """The block as a dense matrix, rows and columns renumbered in order."""
    row_ids, i = np.unique(rows, return_inverse=True)
    column_ids, j = np.unique(columns, return_inverse=True)
    block = np.zeros((len(row_ids), len(column_ids)), dtype=np.uint64)
    block[i, j] = values
    return block
