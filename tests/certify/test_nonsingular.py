"""No singular matrix is ever proved nonsingular; regular ones are."""

from __future__ import annotations

import numpy as np
import pytest

from llr.certify._balls import Balls, BallSystem, working_precision
from llr.certify._float_balls import FloatBalls
from llr.certify._nonsingular import ball_bound, float_bound

SINGULAR, SINGULAR_BY_BALLS = 3000, 200


def singular_matrix(rng: np.random.Generator) -> np.ndarray:
    """A random singular matrix of floats: products of integers, so that nothing is rounded."""
    size = int(rng.integers(2, 25))
    rank = int(rng.integers(max(1, size - 3), size))
    bound = int(rng.choice([3, 100, 10**6]))
    left = rng.integers(-bound, bound + 1, (size, rank))
    right = rng.integers(-bound, bound + 1, (rank, size))
    matrix = (left @ right).astype(np.float64)
    scale = 2.0 ** rng.integers(-40, 40, size)
    return matrix * scale[:, None] if rng.random() < 0.5 else matrix * scale


@pytest.mark.parametrize("block", range(6))
def test_no_singular_matrix_is_proved_nonsingular_in_float64(block):
    rng = np.random.default_rng(block)
    least = min(
        (
            float_bound(FloatBalls(matrix, np.zeros_like(matrix)))
            for matrix in (singular_matrix(rng) for _ in range(SINGULAR // 6))
        ),
        default=np.inf,
    )
    assert not least < 1


def test_no_enclosure_of_a_singular_matrix_is_proved_nonsingular():
    """A radius as wide as the way to the singular matrix is respected."""
    rng = np.random.default_rng(7)
    for _ in range(500):
        matrix = singular_matrix(rng)
        change = rng.standard_normal(matrix.shape) * np.abs(matrix).max() * 1e-3
        moved = matrix + change
        radius = np.abs(moved - matrix) * (1 + 1e-12)
        assert not float_bound(FloatBalls(moved, radius)) < 1


def test_no_singular_matrix_is_proved_nonsingular_by_balls():
    rng = np.random.default_rng(1)
    for _ in range(SINGULAR_BY_BALLS):
        with working_precision(int(rng.choice([64, 128, 256]))):
            balls: Balls = BallSystem().constant(singular_matrix(rng))
            assert not ball_bound(balls) < 1


def test_regular_matrices_are_proved_regular():
    rng = np.random.default_rng(2)
    for size in (1, 2, 10, 100):
        matrix = rng.standard_normal((size, size))
        assert float_bound(FloatBalls(matrix, np.zeros_like(matrix))) < 1e-6
        with working_precision(128):
            assert ball_bound(BallSystem().constant(matrix[:20, :20])) < 1


def test_a_regular_matrix_too_ill_conditioned_for_float64_is_proved_by_balls():
    size = 14
    hilbert = 1.0 / (np.arange(size)[:, None] + np.arange(size) + 1)
    assert not float_bound(FloatBalls(hilbert, np.zeros_like(hilbert))) < 1
    with working_precision(256):
        assert ball_bound(BallSystem().constant(hilbert)) < 1


def test_what_is_not_finite_proves_nothing():
    for wrong in (np.nan, np.inf):
        matrix = np.eye(3)
        matrix[0, 0] = wrong
        assert not float_bound(FloatBalls(matrix, np.zeros((3, 3)))) < 1
        assert not float_bound(FloatBalls(np.eye(3), np.full((3, 3), wrong))) < 1
    assert not float_bound(FloatBalls(np.zeros((2, 2)), np.zeros((2, 2)))) < 1
