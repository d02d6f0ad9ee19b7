"""Ranks of dense matrices modulo a prime, by Gaussian elimination."""

from __future__ import annotations

import numpy as np

from llr.theory.arithmetic._exact_values import Integers
from llr.theory.arithmetic._prime_field import PrimeField, Residues

__all__ = ["matrix_rank", "ranks_of_blocks"]

FEW = 8
"""Columns, or rows of a triangle, that are eliminated one by one."""

ENTRIES_AT_ONCE = 2**18
"""Entries of equal blocks that are eliminated together."""


def matrix_rank(matrix: Residues, field: PrimeField) -> int:
    """Rank of one matrix."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return _eliminate(tall, field)[1].shape[1]


def _eliminate(matrix: Residues, field: PrimeField) -> tuple[Integers, Residues]:
    """Elimination by halves of the columns, so that most of the work is matrix products.

    Returns:
        An order of the rows, the r pivot rows first, and the factors (n, r), in that order: unit
        lower triangular, and such that matrix[order] = factors @ (r independent rows).
    """
    if matrix.shape[1] <= FEW:
        return _eliminate_few(matrix, field)
    half = matrix.shape[1] // 2
    order, factors = _eliminate(matrix[:, :half], field)
    rank = factors.shape[1]
    right = matrix[order, half:]
    top = _solve(factors[:rank], right[:rank], field)
    rest = field.minus(right[rank:], field.matrix_product(factors[rank:], top))
    order_below, factors_below = _eliminate(rest, field)
    order[rank:] = order[rank:][order_below]
    below = np.concatenate([factors[rank:][order_below], factors_below], axis=1)
    above = np.pad(factors[:rank], ((0, 0), (0, factors_below.shape[1])))
    return order, np.concatenate([above, below])


def _eliminate_few(matrix: Residues, field: PrimeField) -> tuple[Integers, Residues]:
    """The same for few columns, one by one."""
    rest, n, rank = matrix.copy(), len(matrix), 0
    order, factors = np.arange(n), np.zeros(matrix.shape, dtype=field.dtype)
    for column in range(matrix.shape[1]):
        pivots = np.flatnonzero(rest[rank:, column])
        if len(pivots) == 0:
            continue
        swap = [rank, rank + pivots[0]]
        for rows in (rest, factors, order):
            rows[swap] = rows[swap[::-1]]
        below = slice(rank + 1, n)
        inverse = np.array(field.inverse(int(rest[rank, column])), dtype=field.dtype)
        factors[rank, rank] = 1
        factors[below, rank] = field.times(rest[below, column], inverse)
        change = field.times(factors[below, rank, None], rest[rank, None, column:])
        rest[below, column:] = field.minus(rest[below, column:], change)
        rank += 1
    return order, factors[:, :rank]


def _solve(triangle: Residues, right: Residues, field: PrimeField) -> Residues:
    """X with triangle @ X = right, for a unit lower triangular matrix, by halves."""
    n = len(triangle)
    if n <= FEW:
        solution = right.copy()
        for row in range(1, n):
            change = field.matrix_product(triangle[row : row + 1, :row], solution[:row])
            solution[row] = field.minus(solution[row], change[0])
        return solution
    half = n // 2
    top = _solve(triangle[:half, :half], right[:half], field)
    below = field.minus(right[half:], field.matrix_product(triangle[half:, :half], top))
    return np.concatenate([top, _solve(triangle[half:, half:], below, field)])


def ranks_of_blocks(blocks: Residues, field: PrimeField) -> Integers:
    """Ranks (B,) of equally large matrices (B, n, m), eliminated side by side."""
    if blocks.shape[1] < blocks.shape[2]:
        blocks = blocks.transpose(0, 2, 1)
    step = max(1, ENTRIES_AT_ONCE // max(1, blocks.shape[1] * blocks.shape[2]))
    parts = [_ranks(blocks[i : i + step], field) for i in range(0, len(blocks), step)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _ranks(blocks: Residues, field: PrimeField) -> Integers:
    """Elimination without division: row times pivot, minus entry times pivot row."""
    rest = blocks.copy()
    index = np.arange(len(rest))
    unused = np.ones(rest.shape[:2], dtype=bool)
    for column in range(rest.shape[2]):
        entries = rest[:, :, column]
        candidates = unused & (entries != 0)
        pivot = candidates.argmax(axis=1)
        found = candidates[index, pivot]
        unused[index, pivot] &= ~found
        pivot_row = rest[index, pivot, column + 1 :][:, None, :]
        scaled = field.times(rest[:, :, column + 1 :], entries[index, pivot][:, None, None])
        changed = field.minus(scaled, field.times(entries[:, :, None], pivot_row))
        update = (unused & found[:, None])[:, :, None]
        rest[:, :, column + 1 :] = np.where(update, changed, rest[:, :, column + 1 :])
    return (~unused).sum(axis=1)
