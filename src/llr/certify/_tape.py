"""A reverse-mode tape over any number system.

The adjoint of a parameter keeps the sample axis, so that it is the row of the tangent matrix of
each sample: parameters enter with a sample axis of length 1, and nothing ever sums over samples.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from llr.certify._number_arrays import Entries, Movement, NumberArray

__all__ = [
    "Adjoint",
    "Variable",
    "add",
    "adjoints",
    "apply",
    "collect",
    "gate",
    "matmul",
    "move",
    "multiply",
    "negate",
    "reshape",
    "softmax",
    "total",
]

Adjoint = Callable[[NumberArray], NumberArray]
_order = count()


class Variable:
    """A value on the tape.

    Args:
        value: an array with the sample axis first.
        sources: (variable, adjoint of the operation towards it).
        wanted: whether derivatives by it are wanted; None: if they are by one of its sources.
        absent: traced positions that stand for minus infinity, masked out of a softmax.
    """

    def __init__(
        self,
        value: NumberArray,
        sources: Sequence[tuple[Variable, Adjoint]] = (),
        *,
        wanted: bool | None = None,
        absent: Entries | None = None,
    ) -> None:
        self.value = value
        self.sources = [(source, adjoint) for source, adjoint in sources if source.wanted]
        self.wanted = bool(self.sources) if wanted is None else wanted
        self.absent = absent
        self.order = next(_order)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the sample axis."""
        return self.value.shape[1:]


def _with_axes(value: NumberArray, axes: int) -> NumberArray:
    """Leading axes of length 1, so that shapes broadcast behind the sample axis."""
    missing = axes + 1 - len(value.shape)
    return value.reshape(*[1] * missing, *value.shape[1:]) if missing else value


def _summed_to(adjoint: NumberArray, shape: tuple[int, ...]) -> NumberArray:
    """Sum over the axes that broadcasting repeated."""
    extra = len(adjoint.shape) - 1 - len(shape)
    if extra:
        adjoint = adjoint.sum(range(1, 1 + extra))
    axes = [i for i, n in enumerate(shape, 1) if n == 1 and adjoint.shape[i] != 1]
    return adjoint.sum(axes).reshape(*shape) if axes else adjoint


def add(a: Variable, b: Variable) -> Variable:
    """A + b, broadcast."""
    axes = max(len(a.shape), len(b.shape))
    value = _with_axes(a.value, axes) + _with_axes(b.value, axes)
    return Variable(
        value,
        [(a, lambda g: _summed_to(g, a.shape)), (b, lambda g: _summed_to(g, b.shape))],
    )


def multiply(a: Variable, b: Variable) -> Variable:
    """A b, broadcast."""
    axes = max(len(a.shape), len(b.shape))
    left, right = _with_axes(a.value, axes), _with_axes(b.value, axes)
    return Variable(
        left * right,
        [
            (a, lambda g: _summed_to(g * right, a.shape)),
            (b, lambda g: _summed_to(g * left, b.shape)),
        ],
    )


def negate(a: Variable) -> Variable:
    """-a."""
    return Variable(-a.value, [(a, lambda g: -g)])


def matmul(a: Variable, b: Variable) -> Variable:
    """Matrix product of the last two axes; the axes before them are equal."""
    return Variable(
        a.value.matmul(b.value),
        [
            (a, lambda g: g.matmul(b.value.transpose())),
            (b, lambda g: a.value.transpose().matmul(g)),
        ],
    )


def move(a: Variable, movement: Movement) -> Variable:
    """Entries moved."""
    absent = None
    if a.absent is not None:
        absent = a.absent.reshape(-1)[movement.index].reshape(movement.shape)
    return Variable(a.value.gather(movement), [(a, lambda g: g.scatter(movement))], absent=absent)


def collect(a: Variable, movement: Movement) -> Variable:
    """The adjoint of a movement: entries moved back and added up."""
    return Variable(a.value.scatter(movement), [(a, lambda g: g.gather(movement))])


def reshape(a: Variable, *shape: int) -> Variable:
    """The same entries in another shape."""
    absent = None if a.absent is None else a.absent.reshape(shape)
    return Variable(a.value.reshape(*shape), [(a, lambda g: g.reshape(*a.shape))], absent=absent)


def apply(a: Variable, name: str) -> Variable:
    """A function of the table, elementwise."""
    value, slope = a.value.apply(name)
    return Variable(value, [(a, lambda g: g * slope)])


def gate(a: Variable, mask: Entries | NumberArray) -> Variable:
    """``a`` where the mask holds, else 0; the mask is locally constant."""
    return Variable(a.value.masked(mask), [(a, lambda g: g.masked(mask))])


def total(a: Variable, axes: Sequence[int], *, keep: bool = False) -> Variable:
    """Sum over axes, counted without the sample axis."""
    chosen = sorted({axis % len(a.shape) for axis in axes}) if a.shape else []
    kept = tuple(1 if i in chosen else n for i, n in enumerate(a.shape))
    size = math.prod(kept)
    spread = Movement(np.broadcast_to(np.arange(size).reshape(kept), a.shape), kept, a.shape)
    value = a.value.sum([axis + 1 for axis in chosen])
    out = Variable(value, [(a, lambda g: g.reshape(*kept).gather(spread))])
    return reshape(out, *kept) if keep else out


def softmax(shifted: NumberArray, a: Variable, axis: int) -> Variable:
    """Exp / sum exp along an axis, ``shifted`` being ``a`` minus one entry of each line."""
    axis = axis % len(a.shape)
    kept = [1 if i == axis else n for i, n in enumerate(a.shape)]
    powers = shifted.apply("relative exp")[0]
    if a.absent is not None:
        powers = powers.masked(~np.broadcast_to(a.absent, a.shape)[None])
    whole = powers.sum([axis + 1]).apply("reciprocal")[0].reshape(*kept)
    share = powers * whole

    def adjoint(g: NumberArray) -> NumberArray:
        mean = (g * share).sum([axis + 1]).reshape(*kept)
        return share * (g + -mean)

    return Variable(share, [(a, adjoint)])


def adjoints(
    start: Variable, seed: NumberArray, wanted: Sequence[Variable]
) -> list[NumberArray | None]:
    """Derivatives of <seed, start> by each of the variables; None where there is no path."""
    pending: dict[int, tuple[Variable, NumberArray]] = {start.order: (start, seed)}
    queue = [-start.order]
    leaves: dict[int, NumberArray] = {}
    kept = {variable.order for variable in wanted}
    while queue:
        variable, g = pending.pop(-heapq.heappop(queue))
        if variable.order in kept:
            leaves[variable.order] = g
        for source, adjoint in variable.sources:
            change = adjoint(g)
            if source.order in pending:
                pending[source.order] = (source, pending[source.order][1] + change)
            else:
                pending[source.order] = (source, change)
                heapq.heappush(queue, -source.order)
    return [leaves.get(variable.order) for variable in wanted]
