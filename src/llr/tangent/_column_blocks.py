"""J in blocks of consecutive columns: the derivatives by some of the parameters at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from llr._types import Parameters
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["column_blocks"]


def column_blocks(
    operator: TangentOperator, budget: int, *, without: Iterable[str] = ()
) -> Iterator[Tensor]:
    """J in consecutive blocks of columns, each within the budget; some parameters left out."""
    function = operator.function
    width = max(1, budget // (FLOAT64_BYTES * operator.shape[0]))
    block: dict[str, tuple[int, int]] = {}
    used = 0
    for name, value in function.params.items():
        if name in without:
            continue
        start, size = 0, value.numel()
        while start < size:
            stop = min(size, start + width - used)
            block[name] = (start, stop)
            used, start = used + stop - start, stop
            if used == width:
                yield _columns(operator, block)
                block, used = {}, 0
    if block:
        yield _columns(operator, block)


def _columns(operator: TangentOperator, block: dict[str, tuple[int, int]]) -> Tensor:
    """J in some columns: parameters by name, each a range of its flattened entries."""
    function = operator.function
    whole = function.params

    def raw(params: Parameters, x: Samples) -> object:
        full = dict(whole)
        for name, part in params.items():
            start, stop = block[name]
            flat = whole[name].flatten()
            full[name] = torch.cat([flat[:start], part, flat[stop:]]).view(whole[name].shape)
        return function.raw(full, x)

    chosen = {name: whole[name].flatten()[start:stop] for name, (start, stop) in block.items()}
    extra = FLOAT64_BYTES * sum(whole[name].numel() for name in block)
    part = ModelFunction(chosen, raw, function.module)
    return operator.with_function(part, extra_bytes=extra).to_dense()
