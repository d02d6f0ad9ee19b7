"""Activations, as sums and products of the functions of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from llr.certify import _tape as tape
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable
from llr.certify.rules.kink import between, relu
from llr.certify.rules.reduction import mean

__all__: list[str] = []


@rule("tanh", "sigmoid", "erf", "sin", "cos", "exp", "log", "atan", "sqrt", "rsqrt", "reciprocal")
def of_the_table(run: Run, a: Any) -> Variable:
    """A function of the table."""
    return tape.apply(run.lift(a), run.step.name)


def _times(run: Run, a: Variable, factor: float) -> Variable:
    return a if factor == 1 else tape.multiply(a, run.constant(float(factor)))


def _plus(run: Run, a: Variable, number: float) -> Variable:
    return tape.add(a, run.constant(float(number)))


@rule("expm1")
def exponential_less_one(run: Run, a: Any) -> Variable:
    """e^a - 1."""
    return _plus(run, tape.apply(a, "exp"), -1)


@rule("log1p")
def logarithm_of_one_more(run: Run, a: Any) -> Variable:
    """log(1 + a)."""
    return tape.apply(_plus(run, a, 1), "log")


@rule("tan")
def tangent(run: Run, a: Any) -> Variable:
    """Sin / cos."""
    return tape.multiply(tape.apply(a, "sin"), run.reciprocal(tape.apply(a, "cos")))


@rule("sinh", "cosh")
def hyperbolic(run: Run, a: Any) -> Variable:
    """(e^a -+ e^-a) / 2."""
    up, down = tape.apply(a, "exp"), tape.apply(tape.negate(a), "exp")
    down = tape.negate(down) if run.step.name == "sinh" else down
    return _times(run, tape.add(up, down), 0.5)


@rule("erfc")
def complementary_error(run: Run, a: Any) -> Variable:
    """1 - erf(a)."""
    return _plus(run, tape.negate(tape.apply(a, "erf")), 1)


@rule("softplus")
def softplus(run: Run, a: Any, beta: float = 1, threshold: float = 20) -> Variable:
    """log(1 + e^(beta a)) / beta; PyTorch's threshold is a matter of rounding alone."""
    inner = tape.apply(_times(run, a, beta), "softplus")
    return inner if beta == 1 else tape.multiply(inner, run.reciprocal(float(beta)))


@rule("log_sigmoid_forward")
def log_sigmoid(run: Run, a: Any) -> Any:
    """-softplus(-a)."""
    return [tape.negate(tape.apply(tape.negate(a), "softplus")), None]


@rule("silu")
def silu(run: Run, a: Any) -> Variable:
    """A sigmoid(a)."""
    return tape.multiply(a, tape.apply(a, "sigmoid"))


@rule("mish")
def mish(run: Run, a: Any) -> Variable:
    """A tanh(softplus(a))."""
    return tape.multiply(a, tape.apply(tape.apply(a, "softplus"), "tanh"))


@rule("gelu")
def gelu(run: Run, a: Any, approximate: str = "none") -> Variable:
    """A times the normal distribution function, or its tanh form."""
    gate = "normal cdf" if approximate == "none" else "gelu tanh gate"
    return tape.multiply(a, tape.apply(a, gate))


@rule("glu")
def glu(run: Run, a: Any, dim: int = -1) -> Variable:
    """The first half times the sigmoid of the second."""
    first, second = run.move(a, lambda positions: positions.chunk(2, dim))
    return tape.multiply(first, tape.apply(second, "sigmoid"))


# With kinks ---------------------------------------------------------------------------------


def _positive_part_of(run: Run, a: Variable, slope_below: Variable) -> Variable:
    """A where a > 0, else slope a."""
    above = relu(run, a)
    below = tape.add(a, tape.negate(above))
    return tape.add(above, tape.multiply(slope_below, below))


@rule("leaky_relu")
def leaky_relu(run: Run, a: Any, negative_slope: float = 0.01) -> Variable:
    """a, or slope a below 0."""
    return _positive_part_of(run, a, run.constant(negative_slope))


@rule("rrelu_with_noise")
def randomized_relu(
    run: Run, a: Any, noise: Any, lower: float = 1 / 8, upper: float = 1 / 3, *_: Any, **__: Any
) -> Variable:
    """Outside training: the mean slope below 0."""
    return leaky_relu(run, a, (lower + upper) / 2)


@rule("_prelu_kernel")
def prelu(run: Run, a: Any, weight: Any) -> Variable:
    """a, or a learned slope times a below 0."""
    return _positive_part_of(run, a, run.lift(weight))


def _elu(run: Run, a: Variable, alpha: float, scale: float, inner: Variable | None) -> Variable:
    """Scale (max(a, 0) + alpha (e^(inner min(a, 0)) - 1)); None: an inner factor of 1."""
    above = relu(run, a)
    below = tape.add(a, tape.negate(above))
    below = below if inner is None else tape.multiply(below, inner)
    tail = _times(run, _plus(run, tape.apply(below, "exp"), -1), alpha)
    return _times(run, tape.add(above, tail), scale)


@rule("elu")
def elu(run: Run, a: Any, alpha: float = 1, scale: float = 1, inner: float = 1) -> Variable:
    """ELU, and SELU by its two constants."""
    return _elu(run, a, alpha, scale, None if inner == 1 else run.constant(inner))


@rule("celu")
def celu(run: Run, a: Any, alpha: float = 1) -> Variable:
    """max(a, 0) + alpha (e^(min(a, 0) / alpha) - 1)."""
    return _elu(run, a, alpha, 1, run.reciprocal(float(alpha)))


@rule("hardsigmoid")
def hardsigmoid(run: Run, a: Any) -> Variable:
    """min(max(a + 3, 0), 6) / 6."""
    inner = between(run, _plus(run, a, 3), 0.0, 6.0)
    return tape.multiply(inner, run.reciprocal(6.0))


@rule("hardswish")
def hardswish(run: Run, a: Any) -> Variable:
    """A hardsigmoid(a)."""
    return tape.multiply(a, hardsigmoid(run, a))


@rule("threshold")
def threshold(run: Run, a: Any, threshold: float, value: float) -> Variable:
    """A above the threshold, else a value."""
    inner = run.gated(_plus(run, a, -value), _plus(run, a, -threshold))
    return _plus(run, inner, value)


# Along an axis ------------------------------------------------------------------------------


def _less_first(run: Run, a: Variable, axis: int) -> Variable:
    """A minus the first entry of each line that takes part."""
    absent = np.zeros(a.shape, dtype=bool) if a.absent is None else a.absent
    first = np.broadcast_to(absent, a.shape).argmin(axis=axis)

    def taken(positions: Any) -> Any:
        index = torch.from_numpy(np.ascontiguousarray(first)).unsqueeze(axis)
        return positions.gather(axis, index).expand(positions.shape)

    return tape.add(a, tape.negate(run.move(a, taken)))


@rule("_softmax", "_safe_softmax")
def softmax(run: Run, a: Any, dim: int, *_: Any, **__: Any) -> Variable:
    """exp(a) over its sum along an axis."""
    axis = dim % len(a.shape)
    if a.absent is not None and np.broadcast_to(a.absent, a.shape).all(axis=axis).any():
        raise unsupported("aten.softmax", " where everything is masked")
    return tape.softmax(_less_first(run, a, axis).value, a, axis)


@rule("_log_softmax", "logsumexp")
def log_softmax(run: Run, a: Any, dim: Any, *options: Any, **__: Any) -> Variable:
    """A minus the logarithm of the sum of exp(a) along an axis."""
    if a.absent is not None:
        raise unsupported(f"aten.{run.step.name}", " with masked entries")
    axis = (dim if isinstance(dim, int) else dim[0]) % len(a.shape)
    shifted = _less_first(run, a, axis)
    whole = tape.total(tape.apply(shifted, "exp"), [axis], keep=True)
    out = tape.add(shifted, tape.negate(tape.apply(whole, "log")))
    if run.step.name != "logsumexp":
        return out
    gone = mean(run, tape.add(a, tape.negate(out)), [axis], keep=bool(options and options[0]))
    return gone
