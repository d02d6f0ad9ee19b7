"""Arithmetic and linear algebra modulo primes below 2^31, by NumPy and float64 matrix products."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from flint import fmpz

__all__ = [
    "PRIMES_OF_31_BITS",
    "Echelon",
    "Words",
    "add",
    "echelon",
    "inverse",
    "multiply",
    "negate",
    "power",
    "product",
    "random_primes",
    "residues",
]

Words: TypeAlias = npt.NDArray[np.uint64]

BITS = 31
PRIMES_OF_31_BITS = 50_697_537  # primes between 2^30 and 2^31
PANEL = 16  # columns eliminated one by one; wider blocks by matrix products
_HALF, _LOW = np.uint64(16), np.uint64(0xFFFF)
_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -1200, 1200


def random_primes(
    count: int, source: torch.Generator, *, besides: tuple[int, ...] = ()
) -> list[int]:
    """Distinct random primes between 2^30 and 2^31."""
    found: list[int] = []
    while len(found) < count:
        draw = int(torch.randint(2**30, 2**31, (), generator=source)) | 1
        if draw not in found and draw not in besides and fmpz(draw).is_prime():
            found.append(draw)
    return found


@lru_cache(maxsize=64)
def _powers_of_two(p: int) -> Words:
    """2^e modulo p for every exponent of a float64."""
    return np.array([pow(2, e, p) for e in range(_SMALLEST_EXPONENT, _LARGEST_EXPONENT)], np.uint64)


def residues(values: npt.NDArray[np.float64], p: int) -> Words:
    """Finite floats, dyadic rationals, modulo p."""
    mantissa, exponent = np.frexp(values)
    integer = (mantissa * 2.0**53).astype(np.int64)
    place = _powers_of_two(p)[exponent.astype(np.int64) - 53 - _SMALLEST_EXPONENT]
    size = np.abs(integer).astype(np.uint64) % np.uint64(p) * place % np.uint64(p)
    return np.where(integer < 0, negate(size, p), size)


def add(a: Words, b: Words, p: int) -> Words:
    """Elementwise sum."""
    total = a + b
    return np.where(total >= p, total - np.uint64(p), total)


def negate(a: Words, p: int) -> Words:
    """Elementwise negative."""
    return np.where(a == 0, a, np.uint64(p) - a)


def multiply(a: Words, b: Words | np.uint64, p: int) -> Words:
    """Elementwise product."""
    return a * b % np.uint64(p)


def power(a: Words, exponent: int, p: int) -> Words:
    """Elementwise power."""
    out = np.ones_like(a)
    while exponent:
        if exponent & 1:
            out = multiply(out, a, p)
        a = multiply(a, a, p)
        exponent >>= 1
    return out


def inverse(a: Words, p: int) -> Words:
    """Elementwise inverse; 0 where a is 0."""
    return power(a, p - 2, p)


def product(a: Words, b: Words, p: int) -> Words:
    """Matrix product of the last two axes, in halves of 16 bits: exact up to 2^20 terms."""
    prime = np.uint64(p)

    def halves(x: Words) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        return (x >> _HALF).astype(np.float64), (x & _LOW).astype(np.float64)

    def reduced(x: npt.NDArray[np.float64]) -> Words:
        return x.astype(np.uint64) % prime

    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    out = reduced(a_high @ b_high)
    out = ((out << _HALF) + reduced(a_high @ b_low + a_low @ b_high)) % prime
    return ((out << _HALF) + reduced(a_low @ b_low)) % prime


class Echelon(NamedTuple):
    """A maximal independent set of rows, and of columns, of a matrix.

    Attributes:
        rows: indices of ``rank`` rows.
        columns: indices of ``rank`` columns, ascending, the leftmost that are independent; the
            submatrix of the rows and columns is invertible.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    @property
    def rank(self) -> int:
        """Number of pivots."""
        return len(self.columns)


def echelon(matrix: Words, p: int) -> Echelon:
    """Rows and columns of a nonsingular submatrix of full rank, by recursive elimination."""
    rest = matrix.copy()
    order = np.arange(len(matrix))  # original index of each row of ``rest``
    columns = _eliminate(rest, order, 0, 0, matrix.shape[1], p)
    return Echelon(np.sort(order[: len(columns)]), np.array(columns, dtype=np.int64))


def _eliminate(
    rest: Words, order: npt.NDArray[np.int64], done: int, start: int, stop: int, p: int
) -> list[int]:
    """Pivot columns among start..stop of the rows below ``done``; pivot rows move up in order.

    Below its pivot, a pivot column holds the factors of the elimination, a unit lower triangle.
    """
    if done == len(rest):
        return []
    if stop - start <= PANEL:
        return _eliminate_panel(rest, order, done, start, stop, p)
    middle = (start + stop) // 2
    left = _eliminate(rest, order, done, start, middle, p)
    if left:
        top = rest[done : done + len(left), middle:stop]
        _solve_unit_lower(rest[done : done + len(left)][:, left], top, p)
        below = rest[done + len(left) :]
        if len(below):
            change = product(below[:, left], top, p)
            below[:, middle:stop] = add(below[:, middle:stop], negate(change, p), p)
    return left + _eliminate(rest, order, done + len(left), middle, stop, p)


def _eliminate_panel(
    rest: Words, order: npt.NDArray[np.int64], done: int, start: int, stop: int, p: int
) -> list[int]:
    """The same, column by column."""
    found: list[int] = []
    for j in range(start, stop):
        row = done + len(found)
        if row == len(rest):
            break
        nonzero = row + np.flatnonzero(rest[row:, j])
        if len(nonzero) == 0:
            continue
        if nonzero[0] != row:
            pair = [row, int(nonzero[0])]
            rest[pair], order[pair] = rest[pair[::-1]], order[pair[::-1]]
            nonzero = row + np.flatnonzero(rest[row:, j])
        below = nonzero[1:]
        factor = multiply(rest[below, j], np.uint64(pow(int(rest[row, j]), -1, p)), p)
        change = multiply(factor[:, None], rest[row, None, j + 1 : stop], p)
        rest[below, j + 1 : stop] = add(rest[below, j + 1 : stop], negate(change, p), p)
        rest[below, j] = factor
        found.append(j)
    return found


def _solve_unit_lower(lower: Words, right: Words, p: int) -> None:
    """Solve L y = right in place; only what is below the diagonal of L is read."""
    size = len(lower)
    if size <= PANEL:
        for k in range(size - 1):
            change = multiply(lower[k + 1 :, k, None], right[k, None, :], p)
            right[k + 1 :] = add(right[k + 1 :], negate(change, p), p)
        return
    half = size // 2
    _solve_unit_lower(lower[:half, :half], right[:half], p)
    change = product(lower[half:, :half], right[:half], p)
    right[half:] = add(right[half:], negate(change, p), p)
    _solve_unit_lower(lower[half:, half:], right[half:], p)
