"""Linear algebra modulo a prime against python-flint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flint import fmpz, nmod_mat

from llr.certify import _modular_matrices as mod

P = 2147483629


def flint_matrix(matrix: np.ndarray) -> nmod_mat:
    return nmod_mat(*map(int, matrix.shape), matrix.ravel().tolist(), P)


def leftmost_pivots(matrix: np.ndarray) -> list[int]:
    reduced, rank = flint_matrix(matrix).rref()
    rows = reduced.tolist()
    return [next(j for j in range(matrix.shape[1]) if int(rows[i][j])) for i in range(rank)]


@pytest.mark.parametrize("seed", range(60))
def test_pivots_are_the_leftmost_and_their_submatrix_is_invertible(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 90, 2)
    rank = rng.integers(0, min(rows, columns) + 1)
    left = rng.integers(0, P, (rows, rank), dtype=np.uint64)
    right = rng.integers(0, P, (rank, columns), dtype=np.uint64)
    matrix = mod.product(left, right, P) if rank else np.zeros((rows, columns), np.uint64)
    if seed % 3 == 0:
        matrix = matrix * (rng.random(matrix.shape) < 0.2)
    if seed % 4 == 0:
        matrix[:, rng.integers(0, columns)] = 0
    found = mod.echelon(matrix, P)
    assert found.columns.tolist() == leftmost_pivots(matrix)
    square = matrix[np.ix_(found.rows, found.columns)]
    assert found.rank == 0 or flint_matrix(square).rank() == found.rank


def test_products_are_exact():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, P, (40, 40), dtype=np.uint64) for _ in range(2))
    exact = a.astype(object) @ b.astype(object) % P
    assert (mod.product(a, b, P) == exact.astype(np.uint64)).all()
    worst = np.full((3, 3000), P - 1, dtype=np.uint64)
    assert (mod.product(worst, worst.T.copy(), P) == 3000).all()


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 0.1, -3e-310, 5e-324, 1.7e308, -(2.0**61)])
def test_residues_of_floats_are_exact(value):
    numerator, denominator = value.as_integer_ratio()
    expected = numerator * pow(denominator, -1, P) % P
    assert int(mod.residues(np.array([value]), P)[0]) == expected


def test_inverses_and_powers():
    values = np.arange(1, 200, dtype=np.uint64)
    assert (mod.multiply(values, mod.inverse(values, P), P) == 1).all()
    assert int(mod.power(np.array([3], np.uint64), 100, P)[0]) == pow(3, 100, P)


def test_random_primes_are_distinct_primes_of_31_bits():
    primes = mod.random_primes(20, torch.Generator().manual_seed(0))
    assert len(set(primes)) == 20
    assert all(2**30 < p < 2**31 and fmpz(p).is_prime() for p in primes)
