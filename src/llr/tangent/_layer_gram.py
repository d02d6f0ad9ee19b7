"""J J^T over the parameters that layers use in known ways, in one pass per memory budget."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from llr.tangent._gram_parts import AbstractPart, FactorsPart, RowsPart
from llr.tangent._layer_rules import record_uses
from llr.tangent._layer_uses import AbstractUse, AffineUse
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._samples import batches
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["layer_gram", "plan_parts"]


def _own_uses(part: AbstractPart, uses: list[AbstractUse]) -> list[int]:
    """Which uses are of this part's parameter."""
    return [i for i, use in enumerate(uses) if part.name in (use.weight, use.bias)]


def plan_parts(operator: TangentOperator, largest: int) -> list[AbstractPart]:
    """The parts of the parameters that layers use in known ways, none above ``largest`` bytes."""
    function, n, c = operator.function, operator.n_samples, operator.n_outputs
    one = next(batches(operator.samples, 1))
    out, watched, uses = record_uses(function, one, function.params)
    if not uses:
        return []
    own = torch.autograd.grad(out.sum(), list(watched.values()), allow_unused=True)
    elsewhere = {name for name, grad in zip(watched, own, strict=True) if grad is not None}
    parts: list[AbstractPart] = []
    for name, value in function.params.items():
        mine = [use for use in uses if name in (use.weight, use.bias)]
        if not mine or name in elsewhere:
            continue
        affine = [use for use in mine if isinstance(use, AffineUse)]
        if len(affine) == len(mine) and all(
            (u.weight, u.bias == name) == (name, False) for u in mine
        ):
            factors = FactorsPart(name, n, c, [use.sizes for use in affine])
            if factors.n_bytes <= largest and factors.is_cheaper():
                parts.append(factors)
                continue
        channels, size = value.shape[0], value[0].numel()
        unit = max([channels // use.groups for use in affine if use.groups > 1], default=1)
        step = max(1, largest // (FLOAT64_BYTES * n * c * size * unit)) * unit
        parts += [
            RowsPart(name, n, c, slice(start, min(channels, start + step)), size)
            for start in range(0, channels, step)
        ]
    return parts


def _packed(parts: list[AbstractPart], budget: int) -> Iterator[list[AbstractPart]]:
    """Consecutive groups of parts whose memory fits the budget together."""
    group: list[AbstractPart] = []
    for part in parts:
        if group and sum(p.n_bytes for p in group) + part.n_bytes > budget:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _fill(operator: TangentOperator, parts: list[AbstractPart], budget: int) -> None:
    """One pass over all samples and outputs, for these parts."""
    names = {part.name: None for part in parts}
    size = max(1, budget // (4 * operator.sample_bytes))
    start = 0
    for batch in batches(operator.samples, size):
        out, _, uses = record_uses(operator.function, batch, names)
        samples = slice(start, start + len(out))
        start += len(out)
        taps = [use.tap for use in uses]
        together = max(1, budget // (2 * len(out) * operator.sample_bytes))
        for first in range(0, operator.n_outputs, together):
            outputs = slice(first, min(first + together, operator.n_outputs))
            stacks = [
                torch.autograd.grad(
                    out[:, o].sum(), taps, retain_graph=True, materialize_grads=True
                )
                for o in range(outputs.start, outputs.stop)
            ]
            deltas = [torch.stack(per_output, dim=1) for per_output in zip(*stacks, strict=True)]
            for part in parts:
                mine = _own_uses(part, uses)
                part.fill([uses[i] for i in mine], [deltas[i] for i in mine], samples, outputs)


def layer_gram(operator: TangentOperator, budget: int) -> tuple[Tensor, set[str]]:
    """J J^T over the parameters that layers use in known ways, and their names."""
    rows = operator.shape[0]
    gram = torch.zeros(rows, rows, dtype=operator.dtype, device=operator.device)
    parts = plan_parts(operator, budget // 2)
    for group in _packed(parts, budget // 2):
        _fill(operator, group, budget // 2)
        for part in group:
            part.add_to(gram)
    return gram, {part.name for part in parts}
