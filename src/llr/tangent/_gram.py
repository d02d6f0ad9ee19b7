"""J J^T without J: layer by layer where the layers allow it, column block by column block else.

The Gram matrix holds the squares of the singular values, so half of their digits. It is only the
first step of a rank: what it cannot tell is settled by products with J itself (``_refine``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llr._types import Parameters
from llr.errors import LLRError
from llr.tangent._layer_rules import RULES
from llr.tangent._layer_uses import AbstractUse, AffineUse
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._model_function import ModelFunction
from llr.tangent._recorder import Recorder
from llr.tangent._samples import Samples, batches, sample_count
from llr.tangent._tangent_operator import TangentOperator
from llr.tangent._vectorized import Vectorized

__all__ = ["column_blocks", "row_gram"]

TILE_BYTES = 2**27  # temporaries of one tile of a layer's Gram matrix
_CHECK_RTOL = 1e3 * torch.finfo(torch.float64).eps  # u^T (J J^T) u against |J^T u|^2


@dataclass
class _AbstractPart(ABC):
    """Interface: the part of J J^T that belongs to one parameter, filled batch by batch."""

    name: str
    n_samples: int
    n_outputs: int

    @property
    @abstractmethod
    def n_bytes(self) -> int:
        """Memory that the part keeps until it is added."""

    @abstractmethod
    def fill(
        self, uses: list[AbstractUse], deltas: list[Tensor], samples: slice, outputs: slice
    ) -> None:
        """Take in all uses of the parameter in a batch, each with its delta."""

    @abstractmethod
    def add_to(self, gram: Tensor) -> None:
        """Add this parameter's part to J J^T, and let go of the memory."""


@dataclass
class _Rows(_AbstractPart):
    """J in the columns of one parameter (some channels of it), formed."""

    channels: slice
    channel_size: int
    block: Tensor | None = None

    @property
    def n_bytes(self) -> int:
        width = (self.channels.stop - self.channels.start) * self.channel_size
        return FLOAT64_BYTES * self.n_samples * self.n_outputs * width

    def fill(
        self, uses: list[AbstractUse], deltas: list[Tensor], samples: slice, outputs: slice
    ) -> None:
        rows = []
        for use, delta in zip(uses, deltas, strict=True):
            if use.weight == self.name:
                rows.append(use.weight_rows(delta, self.channels))
            if use.bias == self.name:
                rows.append(use.bias_rows(delta)[..., self.channels])
        total = torch.stack(rows).sum(0) if len(rows) > 1 else rows[0]
        if self.block is None:
            self.block = total.new_empty(self.n_samples, self.n_outputs, total.shape[2])
        self.block[samples, outputs] = total

    def add_to(self, gram: Tensor) -> None:
        assert self.block is not None
        rows = self.block.flatten(0, 1)
        gram.addmm_(rows, rows.T)
        self.block = None


@dataclass
class _Factors(_AbstractPart):
    """delta and a of every use of one weight, kept apart."""

    sizes: list[tuple[int, int, int, int]]  # (g, T, out, in) of each use
    stored: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        n, c = self.n_samples, self.n_outputs
        return FLOAT64_BYTES * sum(n * g * t * (c * out + into) for g, t, out, into in self.sizes)

    def fill(
        self, uses: list[AbstractUse], deltas: list[Tensor], samples: slice, outputs: slice
    ) -> None:
        for position, (use, delta) in enumerate(zip(uses, deltas, strict=True)):
            assert isinstance(use, AffineUse)
            d, a = use.factors(delta)
            if len(self.stored) == position:
                n, c = self.n_samples, self.n_outputs
                self.stored.append((d.new_empty(n, c, *d.shape[2:]), a.new_empty(n, *a.shape[1:])))
            whole_d, whole_a = self.stored[position]
            whole_d[samples, outputs] = d
            whole_a[samples] = a

    def add_to(self, gram: Tensor) -> None:
        for i, left in enumerate(self.stored):
            for j, right in enumerate(self.stored[: i + 1]):
                for group in range(left[0].shape[2]):
                    self._add_products(gram, left, right, group, symmetric=i == j)
        self.stored = []

    @staticmethod
    def _add_products(
        gram: Tensor,
        left: tuple[Tensor, Tensor],
        right: tuple[Tensor, Tensor],
        group: int,
        *,
        symmetric: bool,
    ) -> None:
        """Add sum_{t,t'} (delta_t . delta'_t') (a_t . a'_t') for all pairs of rows, by tiles."""
        d, a = left[0][:, :, group], left[1][:, group]  # (n, c, T, out), (n, T, in)
        e, b = right[0][:, :, group], right[1][:, group]
        (n, c, t), s = d.shape[:3], e.shape[2]
        step = max(1, TILE_BYTES // (FLOAT64_BYTES * c * t * n * c * s))
        for start in range(0, n, step):
            size = min(step, n - start)
            tile = d[start : start + size].reshape(size * c * t, -1) @ e.reshape(n * c * s, -1).T
            inner = a[start : start + size].reshape(size * t, -1) @ b.reshape(n * s, -1).T
            products = tile.view(size, c, t, n, c, s)
            products *= inner.view(size, 1, t, n, 1, s)
            block = products if t == s == 1 else products.sum((2, 5))
            block = block.reshape(size * c, n * c)
            rows = slice(start * c, (start + size) * c)
            gram[rows] += block
            if not symmetric:
                gram[:, rows] += block.T


def _record(
    function: ModelFunction, x: Samples, names: Iterable[str]
) -> tuple[Tensor, Parameters, list[AbstractUse]]:
    """Outputs (n, c), the watched parameters, and their uses, on a batch."""
    watched = {name: function.params[name].clone().requires_grad_() for name in names}
    recorder = Recorder(watched, sample_count(x), RULES)
    with torch.enable_grad(), recorder:
        out = function({**function.params, **watched}, x)
    return out, watched, recorder.uses


def _mine(part: _AbstractPart, uses: list[AbstractUse]) -> list[int]:
    """Which uses are of this part's parameter."""
    return [i for i, use in enumerate(uses) if part.name in (use.weight, use.bias)]


def _plan(operator: TangentOperator, largest: int) -> list[_AbstractPart]:
    """The parts of the parameters that layers use in known ways, none above ``largest`` bytes."""
    function, n, c = operator.function, operator.n_samples, operator.n_outputs
    one = next(batches(operator.samples, 1))
    out, watched, uses = _record(function, one, function.params)
    if not uses:
        return []
    own = torch.autograd.grad(out.sum(), list(watched.values()), allow_unused=True)
    elsewhere = {name for name, grad in zip(watched, own, strict=True) if grad is not None}
    parts: list[_AbstractPart] = []
    for name, value in function.params.items():
        mine = [use for use in uses if name in (use.weight, use.bias)]
        if not mine or name in elsewhere:
            continue
        affine = [use for use in mine if isinstance(use, AffineUse)]
        if len(affine) == len(mine) and all(
            (u.weight, u.bias == name) == (name, False) for u in mine
        ):
            factors = _Factors(name, n, c, [use.sizes for use in affine])
            if factors.n_bytes <= largest and _factors_are_cheaper(factors):
                parts.append(factors)
                continue
        channels, size = value.shape[0], value[0].numel()
        unit = max([channels // use.groups for use in affine if use.groups > 1], default=1)
        step = max(1, largest // (FLOAT64_BYTES * n * c * size * unit)) * unit
        parts += [
            _Rows(name, n, c, slice(start, min(channels, start + step)), size)
            for start in range(0, channels, step)
        ]
    return parts


def _factors_are_cheaper(part: _Factors) -> bool:
    """Whether pairs of positions take fewer operations than forming the rows of J."""
    n, c = part.n_samples, part.n_outputs
    rows = n * c
    pairs = forming = 0
    for g, t, out, into in part.sizes:
        pairs += g * (rows * t) ** 2 * (out + into / c**2 + 1)
        forming += g * rows * t * out * into
    g, _, out, into = part.sizes[0]
    return len(part.sizes) * pairs < forming + rows**2 * g * out * into


def _packed(parts: list[_AbstractPart], budget: int) -> Iterator[list[_AbstractPart]]:
    """Consecutive groups of parts whose memory fits the budget together."""
    group: list[_AbstractPart] = []
    for part in parts:
        if group and sum(p.n_bytes for p in group) + part.n_bytes > budget:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _fill(operator: TangentOperator, parts: list[_AbstractPart], budget: int) -> None:
    """One pass over all samples and outputs, for these parts."""
    names = {part.name: None for part in parts}
    size = max(1, budget // (4 * operator.sample_bytes))
    start = 0
    for batch in batches(operator.samples, size):
        out, _, uses = _record(operator.function, batch, names)
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
                mine = _mine(part, uses)
                part.fill([uses[i] for i in mine], [deltas[i] for i in mine], samples, outputs)


def _layer_gram(operator: TangentOperator, budget: int) -> tuple[Tensor, set[str]]:
    """J J^T over the parameters that layers use in known ways, and their names."""
    rows = operator.shape[0]
    gram = torch.zeros(rows, rows, dtype=operator.dtype, device=operator.device)
    parts = _plan(operator, budget // 2)
    for group in _packed(parts, budget // 2):
        _fill(operator, group, budget // 2)
        for part in group:
            part.add_to(gram)
    return gram, {part.name for part in parts}


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


def row_gram(operator: TangentOperator, budget: int, *, generator: torch.Generator) -> Tensor:
    """J J^T, shape (n * c, n * c), in memory of about ``budget`` bytes beyond the result.

    What the layers' structure gives is checked against one product with J; where the two differ
    (a forward that uses a layer in a way that cannot be seen from outside), J is formed in blocks.
    """
    rows = operator.shape[0]
    gram, known = torch.zeros(rows, rows, dtype=operator.dtype, device=operator.device), set[str]()
    if isinstance(operator.linearization, Vectorized):
        try:
            structured, names = _layer_gram(operator, budget)
        except LLRError:
            raise
        except RuntimeError:  # what plain autograd cannot do, torch.func has been seen to do
            structured, names = gram, known
        if _matches(operator, structured, names, generator):
            gram, known = structured, names
    for block in column_blocks(operator, budget // 2, without=known):
        gram.addmm_(block, block.T)
    return gram


def _matches(
    operator: TangentOperator, gram: Tensor, names: set[str], generator: torch.Generator
) -> bool:
    """Whether u^T (J J^T) u = |J^T u|^2 over the named parameters, for a random u."""
    if not names:
        return False
    u = torch.randn(operator.shape[0], generator=generator, dtype=gram.dtype).to(gram.device)
    gradient = operator.function.split(operator.T @ u)
    wanted = sum(float(gradient[name].square().sum()) for name in names)
    scale = float(u @ u) * float(torch.linalg.matrix_norm(gram))
    return abs(float(u @ gram @ u) - wanted) <= _CHECK_RTOL * scale
