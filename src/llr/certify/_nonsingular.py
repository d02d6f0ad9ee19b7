r"""Proofs that a square matrix of enclosures is nonsingular.

If some matrix C gives ||I - C A|| < 1 for every A in the enclosure, every such A is invertible. C
is an approximate inverse and need not be good; the bound is what is rigorous (Rump, Acta Numerica
2010, section 10; Neumaier, Interval Methods, Theorem 3.7.3). Rows and columns are first scaled by
powers of two, which is exact and changes no rank.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb, arb_mat

from llr.certify._balls import Balls
from llr.certify._float_balls import UNDERFLOW, UNIT_ROUNDOFF, FloatBalls

__all__ = ["ball_bound", "float_bound"]


def float_bound(matrix: FloatBalls) -> float:
    """An upper bound on ||I - C A|| in the maximum norm, in float64; below 1 it is a proof.

    Infinite, or not a number, where float64 cannot say: write ``if bound < 1``.
    """
    middle, radius = matrix.parts
    size = len(middle)
    if size == 0:
        return 0.0
    if not (np.isfinite(middle).all() and np.isfinite(radius).all()):
        return math.inf
    for axis in (1, 0, 1, 0):
        largest = np.abs(middle).max(axis, keepdims=True)
        if not largest.all():
            return math.inf
        exponent = np.frexp(largest)[1]
        middle = np.ldexp(middle, -exponent)
        radius = np.ldexp(radius, -exponent) + UNDERFLOW  # scaling may have underflown
    try:
        approximate = np.linalg.inv(middle)
    except np.linalg.LinAlgError:
        return math.inf
    u, gamma = UNIT_ROUNDOFF, size * UNIT_ROUNDOFF / (1 - size * UNIT_ROUNDOFF)
    ones = np.ones(size)
    sizes = np.abs(approximate)
    residual = np.abs(np.eye(size) - approximate @ middle) @ ones
    rounding = (gamma + 4 * u) * (sizes @ (np.abs(middle) @ ones)) + 4 * size * u
    whole = residual + rounding + sizes @ (radius @ ones)
    return float(whole.max() * (1 + 16 * (size + 4) * u) + size * UNDERFLOW)


def _exponent(ball: arb) -> int:
    """An exponent e with |ball| < 2^e; very small for zero."""
    mantissa, exponent = ball.abs_upper().man_exp()
    return int(mantissa).bit_length() + int(exponent) if mantissa else -(10**9)


def _equilibrated(matrix: arb_mat) -> arb_mat | None:
    """Rows and columns scaled by powers of two; None if a row or column is zero or not finite."""
    entries = matrix.tolist()
    try:
        exponents = np.array([[_exponent(ball) for ball in row] for row in entries])
    except (ValueError, OverflowError):
        return None
    by_row = exponents.max(axis=1)
    by_column = (exponents - by_row[:, None]).max(axis=0)
    if min(by_row.min(), by_column.min()) < -(10**8):
        return None
    scaled = [
        ball * arb(2) ** int(-by_row[i] - by_column[j])
        for i, row in enumerate(entries)
        for j, ball in enumerate(row)
    ]
    return arb_mat(len(entries), len(entries), scaled)


def ball_bound(matrix: Balls) -> float:
    """0 if ball elimination proves the matrix nonsingular, else a bound on ||I - C A||.

    At the working precision; below 1 it is a proof, infinite where balls cannot say.
    """
    size = len(matrix.parts[0])
    if size == 0:
        return 0.0
    balls = matrix.parts[0].ravel().tolist()
    if not all(ball.is_finite() for ball in balls):
        return math.inf
    scaled = _equilibrated(arb_mat(size, size, balls))
    if scaled is None:
        return math.inf
    try:
        scaled.solve(arb_mat(size, 1, [1] * size), algorithm="lu")
        return 0.0  # every pivot is bounded away from zero
    except ZeroDivisionError:
        return _preconditioned_bound(scaled)


def _preconditioned_bound(matrix: arb_mat) -> float:
    """||I - C A||, C the inverse of the midpoints in floating point."""
    size = matrix.nrows()
    identity = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    try:
        approximate = matrix.mid().solve(identity, algorithm="approx").mid()
    except ZeroDivisionError:
        return math.inf
    bound = 0.0
    for row in (approximate * matrix - identity).tolist():
        total = sum((abs(ball) for ball in row), arb(0)).upper()
        if not total < 1:
            return math.inf
        bound = max(bound, math.nextafter(float(total), 2))
    return bound
