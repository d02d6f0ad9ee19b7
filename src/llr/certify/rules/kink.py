"""Operations with kinks: comparisons, choices, maxima, absolute values, clamps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from llr.certify import _tape as tape
from llr.certify._integers import Integers
from llr.certify._number_arrays import NumberArray
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable
from llr.certify.rules.movement import concatenated
from llr.certify.rules.reduction import all_axes
from llr.certify.rules.token import compared

__all__ = ["Indicator", "absolute", "between", "largest", "maximum", "relu"]


class Indicator(Variable):
    """1 where a comparison holds, else 0: locally constant."""

    def __init__(self, run: Run, mask: Any, shape: tuple[int, ...]) -> None:
        ones = run.system.constant(np.ones((1, *shape)))
        super().__init__(ones.masked(mask), wanted=False)
        self.mask = mask


def relu(run: Run, z: Variable) -> Variable:
    """max(z, 0)."""
    return run.gated(z, z)


def maximum(run: Run, a: Variable, b: Variable) -> Variable:
    """The larger of two, elementwise."""
    return tape.add(b, relu(run, tape.add(a, tape.negate(b))))


def _difference(run: Run, a: Any, b: Any) -> Variable:
    return tape.add(run.lift(a), tape.negate(run.lift(b)))


def _complement(run: Run, mask: Any, shape: tuple[int, ...]) -> Any:
    """The mask of the other entries."""
    if isinstance(mask, NumberArray):
        return run.system.constant(np.ones((1, *shape))) + -mask
    return ~mask


@rule("gt", "lt", "ge", "le")
def comparison(run: Run, a: Any, b: Any) -> Indicator:
    """Where a is greater, less, not less or not greater than b."""
    if isinstance(a, Integers) or isinstance(b, Integers):
        return Indicator(run, *compared(run, run.step.name, a, b))
    greater = run.step.name in ("gt", "le")
    z = _difference(run, a, b) if greater else _difference(run, b, a)
    mask = run.mask(z)
    if run.step.name in ("ge", "le"):
        mask = _complement(run, mask, z.shape)
    return Indicator(run, mask, z.shape)


@rule("eq", "ne")
def equality(run: Run, a: Any, b: Any) -> Indicator:
    """Where tokens are equal, or are not."""
    if isinstance(a, Integers) or isinstance(b, Integers):
        return Indicator(run, *compared(run, run.step.name, a, b))
    raise unsupported(f"aten.{run.step.name}", " for real numbers")


@rule("bitwise_not")
def negation(run: Run, a: Any) -> Indicator:
    """Where it does not hold."""
    return Indicator(run, _complement(run, a.mask, a.shape), a.shape)


@rule("where")
def chosen(run: Run, condition: Any, a: Any, b: Any) -> Variable:
    """A where the condition holds, else b."""
    left, right = run.lift(a), run.lift(b)
    if isinstance(condition, Tensor):
        return _statically(run, condition.numpy(), left, right)
    if left.absent is not None or right.absent is not None:
        raise unsupported("aten.where", " with an infinity where the condition is computed")
    change = tape.add(left, tape.negate(right))
    if isinstance(condition, Indicator):
        return tape.add(right, _gated_by(change, condition))
    return tape.add(right, tape.multiply(change, condition))


def _gated_by(a: Variable, indicator: Indicator) -> Variable:
    """``a`` where the indicator is 1."""
    mask = indicator.mask
    if not isinstance(mask, NumberArray) and a.shape != indicator.shape:
        mask = np.broadcast_to(
            mask.reshape(len(mask), *[1] * (len(a.shape) - mask.ndim + 1), *mask.shape[1:]),
            (len(mask), *a.shape),
        )
    if isinstance(mask, NumberArray) and a.shape != indicator.shape:
        return tape.multiply(a, indicator)
    return tape.gate(a, mask)


def _statically(run: Run, condition: Any, a: Variable, b: Variable) -> Variable:
    """A choice that is the same for all samples; minus infinities are remembered."""
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    mask = np.broadcast_to(condition, shape)

    left, right = (run.move(v, lambda positions: positions.expand(shape)) for v in (a, b))
    out = tape.add(tape.gate(left, mask[None]), tape.gate(right, ~mask[None]))
    gone = np.zeros(shape, dtype=bool)
    for part, where in ((left, mask), (right, ~mask)):
        if part.absent is not None:
            gone |= part.absent & where
    out.absent = gone if gone.any() else None
    return out


@rule("masked_fill")
def filled(run: Run, a: Any, mask: Any, value: Any) -> Variable:
    """Value where the mask holds, else a."""
    return chosen(run, mask, value, a)


@rule("relu")
def relu_of(run: Run, a: Any) -> Variable:
    """max(a, 0)."""
    return relu(run, a)


@rule("abs")
def absolute(run: Run, a: Any) -> Variable:
    """|a| = 2 max(a, 0) - a."""
    a = run.lift(a)
    return tape.add(tape.multiply(relu(run, a), run.constant(2.0)), tape.negate(a))


@rule("sign")
def sign(run: Run, a: Any) -> Variable:
    """1, 0 or -1."""
    above = Indicator(run, run.mask(a), a.shape)
    below = Indicator(run, run.mask(tape.negate(a)), a.shape)
    return tape.add(above, tape.negate(below))


@rule("maximum")
def larger(run: Run, a: Any, b: Any) -> Variable:
    """The larger of two."""
    return maximum(run, run.lift(a), run.lift(b))


@rule("minimum")
def smaller(run: Run, a: Any, b: Any) -> Variable:
    """The smaller of two."""
    left, right = run.lift(a), run.lift(b)
    return tape.add(right, tape.negate(relu(run, tape.add(right, tape.negate(left)))))


def between(run: Run, a: Variable, low: Any, high: Any) -> Variable:
    """Values outside an interval moved to its ends; None: no end."""
    if low is not None:
        a = maximum(run, a, run.lift(low))
    return a if high is None else smaller(run, a, high)


@rule("clamp")
def clamped(run: Run, a: Any, low: Any = None, high: Any = None, **ends: Any) -> Variable:
    """Values outside an interval moved to its ends."""
    return between(run, run.lift(a), ends.get("min", low), ends.get("max", high))


@rule("clamp_min")
def clamped_below(run: Run, a: Any, low: Any) -> Variable:
    """max(a, low)."""
    return between(run, run.lift(a), low, None)


@rule("clamp_max")
def clamped_above(run: Run, a: Any, high: Any) -> Variable:
    """min(a, high)."""
    return between(run, run.lift(a), None, high)


@rule("hardtanh")
def hardtanh(run: Run, a: Any, low: float = -1, high: float = 1) -> Variable:
    """min(max(a, low), high)."""
    return between(run, run.lift(a), low, high)


def largest(run: Run, a: Variable, absent: Any = None) -> Variable:
    """Maximum along the last axis, in rounds of pairs.

    ``absent`` marks entries that do not take part, the same for all samples.
    """
    gone = np.zeros(a.shape, dtype=bool) if absent is None else np.broadcast_to(absent, a.shape)
    while a.shape[-1] > 1:
        half = a.shape[-1] // 2
        sizes = [half, half, a.shape[-1] % 2]
        first, second, odd = run.move(a, lambda positions, sizes=sizes: positions.split(sizes, -1))
        first_gone, second_gone = gone[..., :half], gone[..., half : 2 * half]
        z = difference = tape.add(first, tape.negate(second))
        if first_gone.any() or second_gone.any():  # decided beforehand
            both = ~(first_gone | second_gone)
            decided = np.where(both, 0.0, np.where(first_gone, -1.0, 1.0))
            z = tape.add(tape.gate(difference, both[None]), run.constant(decided))
        a = tape.add(second, tape.gate(difference, run.mask(z)))
        gone = np.concatenate([first_gone & second_gone, gone[..., 2 * half :]], axis=-1)
        if sizes[2]:
            a = concatenated(run, [a, odd], -1)
    return tape.reshape(a, *a.shape[:-1])


@rule("amax", "amin")
def extreme(
    run: Run, a: Any, dim: Any = None, keepdim: bool = False, *, low: bool | None = None
) -> Variable:
    """Maximum or minimum along axes."""
    low = run.step.name == "amin" if low is None else low
    axes = sorted(axis % len(a.shape) for axis in all_axes(a, dim))
    rest = [axis for axis in range(len(a.shape)) if axis not in axes]
    flat = run.move(tape.negate(a) if low else a, lambda p: p.permute(*rest, *axes))
    shape = tuple(a.shape[axis] for axis in rest)
    flat = tape.reshape(flat, *shape, math.prod(a.shape[axis] for axis in axes))
    out = largest(run, flat)
    out = tape.negate(out) if low else out
    kept = [1 if axis in axes else n for axis, n in enumerate(a.shape)]
    return tape.reshape(out, *kept) if keepdim else out


@rule("max", "min")
def extreme_along(run: Run, a: Any, dim: Any, keepdim: bool = False) -> Any:
    """Maximum or minimum along an axis, without the positions."""
    low = run.step.name == "min"
    return [extreme(run, a, dim, keepdim, low=low), None]
