"""Integers among the inputs: tokens, the rows of a table they name, and comparisons of them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from torch import Tensor

from llr.certify import _tape as tape
from llr.certify._integers import Integers
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable

__all__ = ["compared", "integer_arithmetic", "looked_up"]


def _plain(value: Any) -> Any:
    """An operand as an array with the sample axis first."""
    if isinstance(value, Integers):
        return value.values
    if isinstance(value, Variable):
        raise unsupported("arithmetic of integers and real numbers", "")
    return np.asarray(value.numpy() if isinstance(value, Tensor) else value)[None]


def integer_arithmetic(
    run: Run, a: Any, b: Any, *, alpha: float = 1, product: bool = False
) -> Integers:
    """A + alpha b, or a b, of integers."""
    left, right = _plain(a), _plain(b)
    if not all(np.issubdtype(v.dtype, np.integer) for v in (left, right)) or alpha != int(alpha):
        raise unsupported(f"aten.{run.step.name}", " of integers and real numbers")
    return Integers(left * right if product else left + int(alpha) * right)


_COMPARISONS = {
    "gt": operator.gt,
    "lt": operator.lt,
    "ge": operator.ge,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def compared(run: Run, name: str, a: Any, b: Any) -> tuple[Any, tuple[int, ...]]:
    """The mask of a comparison of integers, and its shape."""
    mask = _COMPARISONS[name](_plain(a), _plain(b))
    return mask, mask.shape[1:]


def _one_hot(run: Run, tokens: Integers, size: int) -> Variable:
    """1 at each token's place along a new last axis."""
    spread = np.eye(size)[tokens.values]
    return Variable(run.system.constant(spread), wanted=False)


def looked_up(run: Run, table: Any, tokens: Integers) -> Variable:
    """Rows of a table, as the product with one-hot vectors."""
    weight = run.lift(table)
    rows, columns = weight.shape[0], int(np.prod(weight.shape[1:]))
    places = _one_hot(run, tokens, rows)
    count = int(np.prod(tokens.shape))
    flat = tape.reshape(places, count, rows)
    out = tape.matmul(flat, tape.reshape(weight, rows, columns))
    return tape.reshape(out, *tokens.shape, *weight.shape[1:])


@rule("embedding")
def embedded(run: Run, weight: Any, indices: Any, *_: Any) -> Variable:
    """Rows of a table of vectors."""
    if isinstance(indices, Tensor):
        indices = Integers(indices.numpy()[None])
    return looked_up(run, weight, indices)
