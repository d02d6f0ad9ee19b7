"""Exact ranks of sparse matrices, block by block, modulo random primes.

Reducing dyadic rationals modulo an odd prime is a ring homomorphism, so the rank modulo a prime
never exceeds the true rank: a block that has full rank modulo one prime has full rank, without
any doubt. Other blocks are taken modulo every prime drawn, and the largest rank counts.

**The error is one-sided, with a probability below 2^-60**: the rank can only be too small, and it
is too small only if each of the two primes divides every maximal nonzero minor. Let the entries be
sums of products of at most q float64 numbers. A minor of r rows, cleared of its powers of two, is
an integer below 2^(2200 q r), so at most 37 q r primes above 2^60 divide it. There are more than
2^54.5 primes between 2^60 and 2^61, so both draws hit one of them with probability at most
(37 q r / 2^54.5)^2, which is below 2^-60 for q r up to 500,000. No tolerance enters: equal means
equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from llr.theory.arithmetic._exact_values import Integers
from llr.theory.arithmetic._modular_rank import matrix_rank, ranks_of_blocks
from llr.theory.arithmetic._prime_field import LargePrimeField, PrimeField, Residues
from llr.theory.arithmetic._random_primes import PRIME_BITS, large_prime, random_primes

__all__ = ["Build", "RankModulo", "SparseMatrix", "largest_rank", "sparse_rank"]

SMALL = 64
"""Blocks with at most so many rows and columns are eliminated side by side."""

ROUNDS = 4
"""Times that columns with a single entry are looked for; removing rows can leave new ones."""


class Entries(NamedTuple):
    """Row, column and value of the nonzero entries, one for each place."""

    rows: Integers
    columns: Integers
    values: Residues


class SparseMatrix:
    """A matrix modulo a prime, collected entry by entry; entries at one place add up."""

    def __init__(self, field: PrimeField) -> None:
        self.field = field
        self._parts: list[tuple[Integers, Integers, Residues]] = []

    def add(self, rows: Integers, columns: Integers, values: Residues) -> None:
        """Add entries, given as three arrays of shapes that broadcast together."""
        row, column, value = np.broadcast_arrays(rows, columns, values)
        self._parts.append((row.ravel(), column.ravel(), value.ravel()))

    def entries(self) -> Entries:
        """The nonzero entries, those at one place added up."""
        empty = np.zeros(0, dtype=np.int64)
        rows = np.concatenate([empty, *(part[0] for part in self._parts)])
        columns = np.concatenate([empty, *(part[1] for part in self._parts)])
        none = np.zeros(0, dtype=self.field.dtype)
        values = np.concatenate([none, *(part[2] for part in self._parts)])
        order = np.lexsort((columns, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
        starts = np.flatnonzero(first)
        if len(starts) < len(rows):
            values = self.field.sums(values, starts)
        keep = values != 0
        return Entries(rows[starts][keep], columns[starts][keep], values[keep])


Build: TypeAlias = Callable[[PrimeField], SparseMatrix]
"""Builds a matrix modulo any prime."""

RankModulo: TypeAlias = Callable[[PrimeField], tuple[int, bool]]
"""A rank modulo any prime, and whether it is certain because no larger one is possible."""


def sparse_rank(build: Build, *, degree_bits: int = 0, seed: int = 0) -> int:
    """Exact rank of a sparse matrix, up to the one-sided error above.

    Args:
        build: builds the matrix modulo a prime.
        degree_bits: where entries are polynomials at a random point: their degree is below
            2^degree_bits, 0 where they are numbers. Degrees enter the probability of an error
            (Schwartz and Zippel), so the second prime is then that much larger.
        seed: of the primes.

    Returns:
        The rank.
    """
    return largest_rank(
        lambda field: _rank_modulo(build(field)), degree_bits=degree_bits, seed=seed
    )


def largest_rank(rank_modulo: RankModulo, *, degree_bits: int = 0, seed: int = 0) -> int:
    """The largest of the ranks modulo the primes drawn; the first one where it is certain."""
    first, second = (PrimeField(prime) for prime in random_primes(seed))
    best = 0
    for choice in range(2):
        field = first
        if choice:  # 2^30 for the number of rows and columns of a minor
            large = degree_bits + 30 + PRIME_BITS
            field = LargePrimeField(large_prime(large, seed)) if degree_bits else second
        rank, certain = rank_modulo(field)
        best = max(best, rank)
        if certain:
            break
    return best


def _rank_modulo(matrix: SparseMatrix) -> tuple[int, bool]:
    """The rank, and whether every block has full rank, so that it is certain."""
    rank, entries = _without_single_entries(matrix.entries())
    full = True
    for blocks in _blocks(entries):
        n, m = blocks.shape[1:]
        if min(n, m) == 1:  # a block has no empty row or column
            ranks = np.ones(len(blocks), dtype=np.int64)
        elif max(n, m) <= SMALL:
            ranks = ranks_of_blocks(blocks, matrix.field)
        else:
            ranks = np.array([matrix_rank(block, matrix.field) for block in blocks])
        rank += int(ranks.sum())
        full &= bool((ranks == min(n, m)).all())
    return rank, full


def _without_single_entries(entries: Entries) -> tuple[int, Entries]:
    """The rank of the columns with one entry, and what is left without their rows.

    Such an entry is a pivot that eliminates its row at once, whatever the values.
    """
    rank = 0
    for _ in range(ROUNDS):
        rows, columns, values = entries
        _, place, count = np.unique(columns, return_inverse=True, return_counts=True)
        pivots = np.unique(rows[count[place] == 1])
        if not len(pivots):
            break
        rank += len(pivots)
        left = ~np.isin(rows, pivots)
        entries = Entries(rows[left], columns[left], values[left])
    return rank, entries


def _blocks(entries: Entries) -> Iterator[Residues]:
    """The blocks that share no row and no column, those of one shape stacked to (B, n, m)."""
    rows, columns, values = entries
    if len(values) == 0:
        return
    row_ids, rows = np.unique(rows, return_inverse=True)
    column_ids, columns = np.unique(columns, return_inverse=True)
    n_rows, size = len(row_ids), len(row_ids) + len(column_ids)
    edges = (np.ones(len(rows), dtype=np.int8), (rows, n_rows + columns))
    graph = sparse.coo_array(edges, shape=(size, size))
    n_blocks, block = csgraph.connected_components(graph, directed=False)
    heights, i = _places(block[:n_rows], n_blocks)
    breadths, j = _places(block[n_rows:], n_blocks)
    of_entry = block[rows]
    shapes, shape_of = np.unique(np.stack([heights, breadths]), axis=1, return_inverse=True)
    order = np.argsort(shape_of.ravel()[of_entry], kind="stable")
    ends = np.cumsum(np.bincount(shape_of.ravel()[of_entry], minlength=shapes.shape[1]))
    for shape, chosen in zip(shapes.T.tolist(), np.split(order, ends[:-1]), strict=True):
        _, number = np.unique(of_entry[chosen], return_inverse=True)
        if 1 in shape:
            yield np.ones((number.max() + 1, *shape), dtype=np.int64)
            continue
        stack = np.zeros((number.max() + 1, *shape), dtype=values.dtype)
        stack[number, i[rows[chosen]], j[columns[chosen]]] = values[chosen]
        yield stack


def _places(block: Integers, n_blocks: int) -> tuple[Integers, Integers]:
    """Number of members of each block, and the place of each member in its block."""
    counts = np.bincount(block, minlength=n_blocks)
    order = np.argsort(block, kind="stable")
    place = np.empty(len(block), dtype=np.int64)
    place[order] = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
    return counts, place
