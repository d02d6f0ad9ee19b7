"""Normalisations: layer, group, batch (in eval mode), root mean square, weight norm."""

from __future__ import annotations

from typing import Any

from llr.certify import _tape as tape
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable
from llr.certify.rules.reduction import centred, mean

__all__: list[str] = []


def _standardized(run: Run, a: Variable, axes: list[int], eps: float) -> Variable:
    """(a - mean) / sqrt(variance + eps) along axes."""
    deviation = centred(run, a, axes)
    spread = mean(run, tape.multiply(deviation, deviation), axes, keep=True)
    return _over_root(run, deviation, spread, eps)


def _over_root(run: Run, a: Variable, square: Variable, eps: float) -> Variable:
    """A / sqrt(square + eps)."""
    inner = square if eps == 0 else tape.add(square, run.constant(eps))
    return tape.multiply(a, tape.apply(inner, "rsqrt"))


def _affine(run: Run, a: Variable, weight: Any, bias: Any, *trailing: int) -> Variable:
    """Weight a + bias, each with trailing axes of length 1 added."""
    for value, combine in ((weight, tape.multiply), (bias, tape.add)):
        if value is not None:
            value = run.lift(value)
            a = combine(a, tape.reshape(value, *value.shape, *trailing) if trailing else value)
    return a


@rule("native_layer_norm")
def layer_norm(
    run: Run, a: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Any:
    """Standardised along the last axes."""
    axes = list(range(len(a.shape) - len(shape), len(a.shape)))
    out = _affine(run, _standardized(run, run.lift(a), axes, eps), weight, bias)
    return [out, None, None]


@rule("native_group_norm")
def group_norm(
    run: Run, a: Any, weight: Any, bias: Any, n: int, c: int, size: int, groups: int, eps: float
) -> Any:
    """Standardised along groups of channels."""
    flat = tape.reshape(a, n, groups, c // groups * size)
    out = tape.reshape(_standardized(run, flat, [2], eps), *a.shape)
    return [_affine(run, out, weight, bias, *[1] * (len(a.shape) - 2)), None, None]


def _with_statistics(
    run: Run, a: Variable, weight: Any, bias: Any, mean_: Any, var: Any, eps: float
) -> list[Any]:
    """Normalised by given statistics of each channel."""
    trailing = [1] * (len(a.shape) - 2)

    def channel(value: Any) -> Variable:
        lifted = run.lift(value)
        return tape.reshape(lifted, *lifted.shape, *trailing)

    deviation = tape.add(a, tape.negate(channel(mean_)))
    out = _over_root(run, deviation, channel(var), eps)
    return [_affine(run, out, weight, bias, *trailing), None, None]


@rule("_native_batch_norm_legit_no_training")
def batch_norm_eval(
    run: Run, a: Any, weight: Any, bias: Any, mean_: Any, var: Any, momentum: float, eps: float
) -> Any:
    """Batch norm in eval mode: the stored statistics."""
    return _with_statistics(run, a, weight, bias, mean_, var, eps)


@rule("_native_batch_norm_legit")
def instance_norm(run: Run, a: Any, weight: Any, bias: Any, *rest: Any) -> Any:
    """Standardised by the statistics of one sample."""
    if len(rest) != 3:
        raise unsupported(f"aten.{run.step.name}", " in training mode")
    axes = [0, *range(2, len(a.shape))]
    out = _standardized(run, a, axes, rest[-1])
    return [_affine(run, out, weight, bias, *[1] * (len(a.shape) - 2)), None, None]


@rule("_weight_norm_interface")
def weight_norm(run: Run, v: Any, g: Any, dim: int = 0) -> Any:
    """G v / |v|, the norm along all axes but one."""
    direction, length = run.lift(v), run.lift(g)
    axes = [axis for axis in range(len(direction.shape)) if axis != dim % len(direction.shape)]
    square = tape.total(tape.multiply(direction, direction), axes, keep=True)
    scale = tape.multiply(length, tape.apply(square, "rsqrt"))
    return [tape.multiply(direction, scale), None]
