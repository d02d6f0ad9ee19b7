"""Arithmetic modulo random primes against integers, fractions and FLINT."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.reference.rational_rank import fractions_of, linear_network_rank, rational_rank
from torch import nn

from llr.models import MatrixFactorization
from llr.theory import formal_rank
from llr.theory.arithmetic import PrimeField, SparseMatrix, matrix_rank, sparse_rank
from llr.theory.arithmetic._modular_rank import ranks_of_blocks
from llr.theory.arithmetic._random_primes import LEAST_ORDER, is_prime, random_primes

SEEDS = range(5)


def field(seed: int = 0) -> PrimeField:
    return PrimeField(random_primes(seed)[0])


def random_matrix(
    rng: np.random.Generator, prime: int, n: int, m: int, rank: int
) -> NDArray[np.int64]:
    """A random matrix of at most that rank, some of its rows and columns zero."""
    left = rng.integers(0, prime, (n, rank)).astype(object)
    right = rng.integers(0, prime, (rank, m)).astype(object)
    matrix = np.array((left @ right) % prime, dtype=np.int64).reshape(n, m)
    matrix[rng.random(n) < 0.1] = 0
    matrix[:, rng.random(m) < 0.1] = 0
    return matrix


def powers_far_apart(rng: np.random.Generator, n: int, m: int) -> NDArray[np.float64]:
    """Entries 0, +-2^e with few exponents, multiples of 61 among them."""
    exponents = rng.choice([0, 1, 30, 61, -61, 122, -183, 1000, -1000], (n, m))
    return rng.choice([0.0, 1.0, -1.0], (n, m)) * np.exp2(exponents)


@pytest.mark.parametrize("seed", SEEDS)
def test_primes_are_random_primes_of_61_bits(seed: int) -> None:
    primes = random_primes(seed)
    assert primes == random_primes(seed)
    assert len(set(primes)) == 2
    for prime in primes:
        assert 2**60 < prime < 2**61
        assert is_prime(prime)
        assert all(pow(2, k, prime) != 1 for k in range(1, LEAST_ORDER + 1, 7))
        assert pow(2, 61, prime) != 1
    assert set(primes).isdisjoint(random_primes(seed + 1))


def test_the_primality_test_knows_primes_and_strong_pseudoprimes() -> None:
    small = [n for n in range(2, 2000) if all(n % k for k in range(2, int(n**0.5) + 1))]
    assert [n for n in range(2000) if is_prime(n)] == small
    assert is_prime(2**61 - 1)
    # Composite numbers that pass for the first 4, 9 and 11 prime bases, and a Carmichael number.
    for composite in (3215031751, 3825123056546413051, 561, (2**31 - 1) * (2**29 - 3)):
        assert not is_prime(composite)


@pytest.mark.parametrize("seed", SEEDS)
def test_operations_are_those_of_the_integers(seed: int) -> None:
    rng, modulo = np.random.default_rng(seed), field(seed)
    p = modulo.prime
    a, b = rng.integers(0, p, (2, 40_000))
    edge = np.array([0, 1, 2, 2**31 - 1, 2**31, p - 2, p - 1, p // 2])
    a[:64], b[:64] = np.repeat(edge, 8), np.tile(edge, 8)
    exact_a, exact_b = a.astype(object), b.astype(object)
    assert (modulo.times(a, b) == exact_a * exact_b % p).all()
    assert (modulo.plus(a, b) == (exact_a + exact_b) % p).all()
    assert (modulo.minus(a, b) == (exact_a - exact_b) % p).all()
    assert (modulo.negative(a) == -exact_a % p).all()
    assert (
        modulo.times(a[:300, None], b[None, :300]) == exact_a[:300, None] * exact_b[:300] % p
    ).all()
    starts = np.array([0, 1, 7, 39_000])
    assert (modulo.sums(a, starts) == np.add.reduceat(exact_a, starts) % p).all()
    left, right = a[:9000].reshape(6, 1500), b[:10_500].reshape(1500, 7)
    assert (
        modulo.matrix_product(left, right) == left.astype(object) @ right.astype(object) % p
    ).all()
    ones = np.full((2, 1500), p - 1)
    assert (modulo.matrix_product(ones, ones.T) == 1500).all()


def test_floats_are_reduced_as_the_rationals_they_are() -> None:
    rng, modulo = np.random.default_rng(0), field()
    values = np.concatenate(
        [
            [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1.7976931348623157e308, 2.0**-61, 0.1],
            rng.standard_normal(100) * np.exp2(rng.integers(-1000, 1000, 100)),
        ]
    )
    for value, residue in zip(values, modulo.residues(values), strict=True):
        exact = Fraction(float(value))
        assert residue == exact.numerator * pow(exact.denominator, -1, modulo.prime) % modulo.prime


@pytest.mark.parametrize("seed", range(60))
def test_dense_ranks_are_those_of_flint(seed: int) -> None:
    flint = pytest.importorskip("flint")
    rng, modulo = np.random.default_rng(seed), field()
    n, m = (int(size) for size in rng.integers(1, 80, 2))
    matrix = random_matrix(rng, modulo.prime, n, m, int(rng.integers(0, min(n, m) + 1)))
    wanted = flint.nmod_mat(n, m, matrix.ravel().tolist(), modulo.prime).rank()
    assert matrix_rank(matrix, modulo) == wanted
    assert ranks_of_blocks(np.stack([matrix, 0 * matrix]), modulo).tolist() == [wanted, 0]


def sparse_matrix(modulo: PrimeField, matrix: NDArray[np.float64]) -> SparseMatrix:
    """The matrix, every entry given as the sum of two halves."""
    out = SparseMatrix(modulo)
    rows, columns = np.nonzero(matrix)
    for _ in range(2):
        out.add(rows, columns, modulo.residues(matrix[rows, columns] / 2))
    return out


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_sparse_ranks_are_those_of_rational_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 9, 2)
    matrix = powers_far_apart(rng, n, m) * (rng.random((n, m)) < rng.choice([0.2, 0.5, 1.0]))
    rank = sparse_rank(lambda modulo: sparse_matrix(modulo, matrix), seed=seed % 3)
    assert rank == rational_rank(fractions_of(matrix))


def test_blocks_larger_than_those_side_by_side_count() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(-4, 5, (70, 20)) @ rng.integers(-4, 5, (20, 90)) / 4
    blocks = np.zeros((145, 185))
    blocks[:70, :90], blocks[70:140, 90:180] = low, low
    blocks[140:142, 180:182], blocks[143, 184] = 1, 1
    rank = sparse_rank(lambda modulo: sparse_matrix(modulo, blocks))
    assert rank == 20 + 20 + 1 + 1


def test_parameters_a_factor_of_two_to_the_61_apart_are_told_apart() -> None:
    model = MatrixFactorization(2, 3, width=2)
    params = {
        "left": torch.tensor([[1.0, 2.0**-61], [1.0, 1.0]], dtype=torch.float64),
        "right": torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64),
    }
    assert formal_rank(model, params=params) == 6
    assert {formal_rank(model, params=params, seed=seed) for seed in SEEDS} == {6}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_linear_networks_with_powers_far_apart_have_the_rational_rank(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, rng.integers(3, 5)).tolist()
    shapes = zip(sizes[1:], sizes, strict=False)
    weights = [powers_far_apart(rng, n, m) for n, m in shapes]
    layers = [nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=torch.float64) for w in weights]
    params = {f"{l}.weight": torch.from_numpy(weight) for l, weight in enumerate(weights)}
    wanted = linear_network_rank(weights)
    assert formal_rank(nn.Sequential(*layers), params=params) == wanted
    if len(weights) == 2:
        left, right = torch.from_numpy(weights[1]), torch.from_numpy(weights[0])
        model = MatrixFactorization(left.shape[0], right.shape[1], width=left.shape[1])
        assert formal_rank(model, params={"left": left, "right": right}) == wanted
