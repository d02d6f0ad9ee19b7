"""Sums, means, variances, norms and products along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from llr.certify import _tape as tape
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable

__all__ = ["all_axes", "centred", "mean", "variance"]


def all_axes(a: Variable, dim: Any) -> list[int]:
    """The axes that ``dim`` names; None or an empty list: all of them."""
    if dim is None or (isinstance(dim, (list, tuple)) and len(dim) == 0):
        return list(range(len(a.shape)))
    return [dim] if isinstance(dim, int) else list(dim)


def mean(run: Run, a: Variable, axes: list[int], *, keep: bool = False) -> Variable:
    """Mean along axes."""
    count = math.prod(a.shape[axis] for axis in axes)
    return tape.multiply(tape.total(a, axes, keep=keep), run.reciprocal(float(count)))


def centred(run: Run, a: Variable, axes: list[int]) -> Variable:
    """A minus its mean along axes."""
    return tape.add(a, tape.negate(mean(run, a, axes, keep=True)))


def variance(
    run: Run, a: Variable, axes: list[int], *, correction: float = 0, keep: bool = True
) -> Variable:
    """Sum of squared deviations over (count - correction)."""
    deviation = centred(run, a, axes)
    squares = tape.total(tape.multiply(deviation, deviation), axes, keep=keep)
    count = math.prod(a.shape[axis] for axis in axes)
    return tape.multiply(squares, run.reciprocal(float(count - correction)))


@rule("sum")
def summed(run: Run, a: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Variable:
    """Sum along axes."""
    a = run.lift(a)
    return tape.total(a, all_axes(a, dim), keep=keepdim)


@rule("mean")
def averaged(run: Run, a: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Variable:
    """Mean along axes."""
    a = run.lift(a)
    return mean(run, a, all_axes(a, dim), keep=keepdim)


@rule("var", "var_mean")
def spread(
    run: Run,
    a: Any,
    dim: Any = None,
    correction: float | None = None,
    keepdim: bool = False,
    **options: Any,
) -> Any:
    """Variance along axes, and the mean where it is asked for."""
    if isinstance(correction, bool) or "unbiased" in options:
        raise unsupported(f"aten.{run.step.name}", " in this overload; give correction=")
    axes = all_axes(a, dim)
    found = variance(run, a, axes, correction=1 if correction is None else correction, keep=keepdim)
    return [found, mean(run, a, axes, keep=keepdim)] if run.step.name == "var_mean" else found


@rule("std")
def deviation(
    run: Run, a: Any, dim: Any = None, correction: float | None = None, keepdim: bool = False
) -> Variable:
    """Standard deviation along axes."""
    axes = all_axes(a, dim)
    found = variance(run, a, axes, correction=1 if correction is None else correction, keep=keepdim)
    return tape.apply(found, "sqrt")


@rule("linalg_vector_norm")
def norm(
    run: Run, a: Any, ord: float | None = 2, dim: Any = None, keepdim: bool = False, **_: Any
) -> Variable:
    """Euclidean norm along axes."""
    if ord not in (2, None):
        raise unsupported(f"aten.{run.step.name}", f" of order {ord}; order 2 has")
    axes = all_axes(a, dim)
    return tape.apply(tape.total(tape.multiply(a, a), axes, keep=keepdim), "sqrt")


@rule("prod")
def product(run: Run, a: Any, dim: int | None = None, keepdim: bool = False) -> Variable:
    """Product along an axis."""
    if dim is None:
        a, dim = tape.reshape(a, math.prod(a.shape)), 0
    axis = dim % len(a.shape)
    factors = run.move(a, lambda positions: torch.unbind(positions, axis))
    out = factors[0]
    for factor in factors[1:]:
        out = tape.multiply(out, factor)
    return tape.reshape(out, *a.shape[:axis], 1, *a.shape[axis + 1 :]) if keepdim else out


@rule("cumsum")
def running_sum(run: Run, a: Any, dim: int, **_: Any) -> Variable:
    """Sums of what comes before, by a triangular matrix."""
    axis = dim % len(a.shape)
    length = a.shape[axis]
    last = run.move(a, lambda positions: positions.movedim(axis, -1))
    flat = tape.reshape(last, math.prod(last.shape[:-1]), length)
    ones = run.constant(np.triu(np.ones((length, length))))
    out = tape.reshape(tape.matmul(flat, ones), *last.shape)
    return run.move(out, lambda positions: positions.movedim(-1, axis))
