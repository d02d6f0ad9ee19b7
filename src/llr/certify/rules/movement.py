"""Data movement: PyTorch itself moves a tensor of positions, and the entries follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from llr.certify import _tape as tape
from llr.certify._integers import Integers
from llr.certify._program_run import Run, rule, unsupported
from llr.certify._tape import Variable
from llr.certify.rules.token import looked_up

__all__ = ["concatenated"]

_MOVEMENTS = (
    *("view", "_unsafe_view", "t", "transpose", "permute", "expand", "unsqueeze", "squeeze"),
    *("select", "slice", "unfold", "split", "split_with_sizes", "unbind", "diagonal", "flip"),
    *("roll", "repeat", "pixel_shuffle", "pixel_unshuffle", "index_select", "tril", "triu"),
    *("gather", "rot90"),
)


@rule(*_MOVEMENTS)
def moved(run: Run, a: Any, *args: Any, **kwargs: Any) -> Any:
    """Entries moved as the operation moves positions."""
    if any(isinstance(value, Variable) for value in args):
        raise unsupported(f"aten.{run.step.name}", " with positions that depend on parameters")
    call = run.step.call
    return run.move(a, lambda positions: call(positions, *args, **kwargs))


@rule("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
@rule("replication_pad1d", "replication_pad2d", "replication_pad3d")
@rule("im2col")
def moved_as_reals(run: Run, a: Any, *args: Any) -> Any:
    """The same for operations that take real tensors only."""
    call = run.step.call
    return run.move(a, lambda positions: call(positions.double(), *args).long())


@rule("constant_pad_nd")
def padded(run: Run, a: Any, pad: Any, value: float = 0) -> Any:
    """Zeros around; any other constant is added there."""
    call = run.step.call
    out = run.move(a, lambda positions: call(positions, pad, 0))
    if value == 0:
        return out
    border = call(torch.zeros(a.shape), pad, 1).double()
    return tape.add(out, run.constant((border * value).numpy()))


@rule("clone")
def same(run: Run, a: Any, **_: Any) -> Any:
    """The value itself."""
    return a


@rule("detach")
def detached(run: Run, a: Any) -> Any:
    """A constant's own value; f has no derivative in the usual sense through any other."""
    if isinstance(a, Variable) and a.wanted:
        raise unsupported("aten.detach", " where parameters flow through it")
    return a


@rule("_to_copy")
def converted(run: Run, a: Any, *args: Any, dtype: torch.dtype | None = None, **_: Any) -> Any:
    """The same numbers; casts that would round are refused."""
    if isinstance(a, Integers):
        return (
            Variable(run.system.constant(a.values), wanted=False) if dtype == torch.float64 else a
        )
    whole = isinstance(a, Variable) and not a.wanted and dtype in (torch.int64, torch.bool)
    if dtype not in (None, torch.float64) and not (whole and hasattr(a, "mask")):
        raise unsupported("aten._to_copy", f" to {dtype}: values must stay float64")
    return run.lift(a)


@rule("getitem")
def item(run: Run, a: Any, position: int) -> Any:
    """One of several results."""
    return a[position]


@rule("cat")
def concatenated(run: Run, tensors: Any, dim: int = 0) -> Variable:
    """Each part padded with zeros to the whole, and added up."""
    parts = [run.lift(part) for part in tensors]
    parts = [part for part in parts if part.shape != (0,)]
    axis = dim % len(parts[0].shape)
    length = sum(part.shape[axis] for part in parts)
    out, start = None, 0
    for part in parts:

        def placed(positions: Tensor, start: int = start) -> Tensor:
            size = list(positions.shape)
            size[axis] = length
            whole = torch.zeros(size, dtype=torch.int64)
            whole.narrow(axis, start, positions.shape[axis]).copy_(positions)
            return whole

        moved_part = run.move(part, placed)
        out = moved_part if out is None else tape.add(out, moved_part)
        start += part.shape[axis]
    assert out is not None
    return out


@rule("stack")
def stacked(run: Run, tensors: Any, dim: int = 0) -> Variable:
    """Concatenation along an axis of length 1."""
    parts = [run.lift(part) for part in tensors]
    axis = dim % (len(parts[0].shape) + 1)
    shape = (*parts[0].shape[:axis], 1, *parts[0].shape[axis:])
    return concatenated(run, [tape.reshape(part, *shape) for part in parts], axis)


@rule("index", "_unsafe_index")
def indexed(run: Run, a: Any, indices: Any) -> Any:
    """Entries at fixed positions; rows of a table at tokens."""
    if isinstance(indices[0], Integers) and len(indices) == 1:
        return looked_up(run, a, indices[0])
    if any(isinstance(index, (Variable, Integers)) for index in indices):
        raise unsupported(f"aten.{run.step.name}", " at positions that depend on the input")
    call = run.step.call
    return run.move(run.lift(a), lambda positions: call(positions, indices))


@rule("slice_scatter", "select_scatter")
def overwritten(run: Run, a: Any, source: Any, *place: Any) -> Variable:
    """``a`` with a slice replaced."""
    call = run.step.call
    whole, part = run.lift(a), run.lift(source)
    kept = run.move(
        whole, lambda positions: call(positions, torch.zeros(part.shape).long(), *place)
    )
    put = run.move(part, lambda positions: call(torch.zeros(whole.shape).long(), positions, *place))
    return tape.add(kept, put)


@rule("copy")
def copied(run: Run, a: Any, source: Any, *_: Any) -> Any:
    """The source in the shape of ``a``."""
    return run.move(run.lift(source), lambda positions: positions.expand(a.shape))


@rule("empty_like", "new_empty", "new_zeros")
def zeros(run: Run, *_: Any, **__: Any) -> Variable:
    """Zeros; of memory that nothing was written to, no value is ever used."""
    return run.constant(np.zeros(run.step.shape or ()))


@rule("ones_like", "new_ones")
def ones(run: Run, *_: Any, **__: Any) -> Variable:
    """Ones."""
    return run.constant(np.ones(run.step.shape or ()))


@rule("full_like", "new_full")
def filled(run: Run, a: Any, *args: Any, **__: Any) -> Variable:
    """One number everywhere."""
    return run.constant(np.full(run.step.shape or (), float(args[-1])))
