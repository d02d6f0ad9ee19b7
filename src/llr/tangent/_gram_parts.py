"""The part of J J^T that belongs to one parameter: as rows of J, or as the factors of its layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llr.tangent._layer_uses import AbstractUse, AffineUse
from llr.tangent._memory_budget import FLOAT64_BYTES

__all__ = ["AbstractPart", "FactorsPart", "RowsPart"]

TILE_BYTES = 2**27  # temporaries of one tile of a layer's Gram matrix


@dataclass
class AbstractPart(ABC):
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
class RowsPart(AbstractPart):
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
class FactorsPart(AbstractPart):
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

    def is_cheaper(self) -> bool:
        """Whether pairs of positions take fewer operations than forming the rows of J."""
        n, c = self.n_samples, self.n_outputs
        rows = n * c
        pairs = forming = 0
        for g, t, out, into in self.sizes:
            pairs += g * (rows * t) ** 2 * (out + into / c**2 + 1)
            forming += g * rows * t * out * into
        g, _, out, into = self.sizes[0]
        return len(self.sizes) * pairs < forming + rows**2 * g * out * into

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
