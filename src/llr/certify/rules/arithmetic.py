"""Sums, products, quotients, powers, and products of matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from llr.certify import _tape as tape
from llr.certify._integers import Integers
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable
from llr.certify.rules.token import integer_arithmetic

__all__ = ["matrix_product", "power"]


@rule("add")
def added(run: Run, a: Any, b: Any, alpha: float = 1) -> Any:
    """A + alpha b; minus infinities of a constant are remembered for a softmax."""
    if isinstance(a, Integers) or isinstance(b, Integers):
        return integer_arithmetic(run, a, b, alpha=alpha)
    left, right = run.lift(a), run.lift(b)
    if alpha != 1:
        right = tape.multiply(right, run.constant(alpha))
    out = tape.add(left, right)
    gone = [v.absent for v in (left, right) if v.absent is not None]
    if gone:
        shape = np.broadcast_shapes(*(mask.shape for mask in gone), out.shape)
        out.absent = np.logical_or.reduce([np.broadcast_to(mask, shape) for mask in gone])
    return out


@rule("sub")
def subtracted(run: Run, a: Any, b: Any, alpha: float = 1) -> Any:
    """A - alpha b."""
    return added(run, a, b, alpha=-alpha)


@rule("rsub")
def subtracted_from(run: Run, a: Any, b: Any, alpha: float = 1) -> Any:
    """B - alpha a."""
    return added(run, b, a, alpha=-alpha)


@rule("mul")
def multiplied(run: Run, a: Any, b: Any) -> Any:
    """A b."""
    if isinstance(a, Integers) or isinstance(b, Integers):
        return integer_arithmetic(run, a, b, product=True)
    return tape.multiply(run.lift(a), run.lift(b))


@rule("div")
def divided(run: Run, a: Any, b: Any, rounding_mode: str | None = None) -> Variable:
    """A / b."""
    if rounding_mode is not None:
        raise unsupported("aten.div", f" with rounding_mode={rounding_mode!r}")
    divisor = b.numpy() if isinstance(b, Tensor) else b
    return tape.multiply(run.lift(a), run.reciprocal(divisor))


@rule("neg")
def negated(run: Run, a: Any) -> Variable:
    """-a."""
    return tape.negate(run.lift(a))


def power(run: Run, a: Variable, exponent: int) -> Variable:
    """a^exponent by squaring."""
    out: Variable | None = None
    base, rest = a, abs(exponent)
    while rest:
        if rest & 1:
            out = base if out is None else tape.multiply(out, base)
        rest >>= 1
        if rest:
            base = tape.multiply(base, base)
    if out is None:
        return run.constant(np.ones(a.shape))
    return out if exponent > 0 else run.reciprocal(out)


@rule("pow")
def raised(run: Run, a: Any, exponent: Any) -> Variable:
    """Integer and half-integer powers."""
    if not isinstance(a, Variable) and isinstance(a, Tensor):
        a = run.lift(a)
    if not isinstance(a, Variable) or isinstance(exponent, (Variable, Tensor)):
        raise unsupported("aten.pow", " with an exponent that is not a fixed number")
    if float(exponent).is_integer():
        return power(run, a, int(exponent))
    if not float(2 * exponent).is_integer():
        raise unsupported("aten.pow", f" with the exponent {exponent}: integers and halves have")
    if exponent < 0:
        root = tape.apply(a, "rsqrt")
        return tape.multiply(power(run, a, math.ceil(exponent)), root)
    root = tape.apply(a, "sqrt")
    return tape.multiply(power(run, a, math.floor(exponent)), root)


@rule("addcmul")
def added_product(run: Run, a: Any, b: Any, c: Any, value: float = 1) -> Variable:
    """A + value b c."""
    return added(run, a, multiplied(run, b, c), alpha=value)


@rule("addcdiv")
def added_quotient(run: Run, a: Any, b: Any, c: Any, value: float = 1) -> Variable:
    """A + value b / c."""
    return added(run, a, divided(run, b, c), alpha=value)


@rule("lerp")
def interpolated(run: Run, a: Any, b: Any, weight: Any) -> Variable:
    """A + weight (b - a)."""
    return added(run, a, multiplied(run, subtracted(run, b, a), weight))


# Products of matrices -----------------------------------------------------------------------


def matrix_product(run: Run, a: Any, b: Any) -> Variable:
    """Product of the last two axes."""
    return tape.matmul(run.lift(a), run.lift(b))


@rule("mm", "bmm")
def matrix_by_matrix(run: Run, a: Any, b: Any) -> Variable:
    """A B."""
    return matrix_product(run, a, b)


@rule("mv")
def matrix_by_vector(run: Run, a: Any, b: Any) -> Variable:
    """A b."""
    left, right = run.lift(a), run.lift(b)
    out = tape.matmul(left, tape.reshape(right, *right.shape, 1))
    return tape.reshape(out, *out.shape[:1])


@rule("dot", "vdot")
def inner_product(run: Run, a: Any, b: Any) -> Variable:
    """<a, b>."""
    return tape.total(tape.multiply(run.lift(a), run.lift(b)), [0])


def _scaled(run: Run, a: Variable, factor: float) -> Variable:
    return a if factor == 1 else tape.multiply(a, run.constant(factor))


@rule("addmm", "baddbmm")
def added_matrix_product(
    run: Run, a: Any, b: Any, c: Any, beta: float = 1, alpha: float = 1
) -> Variable:
    """Beta a + alpha B C."""
    product = _scaled(run, matrix_product(run, b, c), alpha)
    return product if beta == 0 else added(run, _scaled(run, run.lift(a), beta), product)


@rule("addmv")
def added_matrix_by_vector(
    run: Run, a: Any, b: Any, c: Any, beta: float = 1, alpha: float = 1
) -> Variable:
    """Beta a + alpha B c."""
    product = _scaled(run, matrix_by_vector(run, b, c), alpha)
    return product if beta == 0 else added(run, _scaled(run, run.lift(a), beta), product)


@rule("_trilinear")
def trilinear(
    run: Run,
    a: Any,
    b: Any,
    c: Any,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    sumdim: list[int],
    unroll_dim: int = 1,
) -> Variable:
    """Sum over some axes of a b c, each with axes of length 1 put in (bilinear layers)."""
    parts = []
    for value, axes in ((a, expand1), (b, expand2), (c, expand3)):
        part = run.lift(value)
        for axis in axes:
            part = tape.reshape(part, *part.shape[:axis], 1, *part.shape[axis:])
        parts.append(part)
    return tape.total(tape.multiply(tape.multiply(parts[0], parts[1]), parts[2]), sumdim)
