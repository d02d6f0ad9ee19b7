"""Uses of parameters by layers: linear maps at positions, and scales of normalised inputs.

For such a layer the rows of J need no M-sized object. With positions t, the input a of an affine
layer and the derivative delta of output o of sample i by the layer's output,

    d f_o(x_i) / d W_{uv} = sum_t delta_{(i,o), t, u} a_{i, t, v},

so that a layer's part of J J^T is a sum over pairs of positions of products of two small inner
products. A parameter used several times (reused layers, tied weights) has one such term per use;
the terms add up in J before anything is squared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["AbstractUse", "AffineUse", "ScaleUse"]


@dataclass(frozen=True)
class AbstractUse(ABC):
    """Interface: one use of parameters, at one batch of n samples.

    Attributes:
        weight: name of the weight, if it is one of those watched.
        bias: name of the bias, if it is one of those watched.
        tap: the zero that was added to the layer's output.
        input: the layer's input (scales: the normalised input).
    """

    weight: str | None
    bias: str | None
    tap: Tensor
    input: Tensor

    @abstractmethod
    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Rows of J in the weight's columns, (n, c, size), for delta (n, c, *output shape).

        Only those of the ``channels`` along the weight's first axis; whole groups of them.
        """

    @abstractmethod
    def bias_rows(self, delta: Tensor) -> Tensor:
        """Rows of J in the bias's columns, (n, c, size)."""


@dataclass(frozen=True)
class AffineUse(AbstractUse):
    """out[t, u] = sum_v W[u, v] a[t, v] + b[u], within each of the groups g of channels.

    Attributes:
        groups: number of groups, g.
        patches: the layer's input as a, (n, g, T, in).
        positions: delta (n, c, *output shape) as (n, c, g, T, out).
    """

    groups: int
    patches: Callable[[Tensor], Tensor]
    positions: Callable[[Tensor], Tensor]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """(g, T, out, in): groups, positions, channels of a group out and in."""
        n, g, t, into = self.patches(self.input).shape
        return g, t, self.tap.numel() // (n * g * t), into

    def factors(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Delta (n, c, g, T, out) and a (n, g, T, in)."""
        return self.positions(delta), self.patches(self.input)

    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Sum over positions of delta times a."""
        d, a = self.factors(delta)
        if self.groups == 1:
            d = d[..., channels]
        else:
            size = d.shape[-1]
            chosen = slice(channels.start // size, channels.stop // size)
            d, a = d[:, :, chosen], a[:, chosen]
        return torch.einsum("ncgto,ngti->ncgoi", d, a).flatten(2)

    def bias_rows(self, delta: Tensor) -> Tensor:
        """Sum over positions of delta."""
        return self.positions(delta).sum(3).flatten(2)


@dataclass(frozen=True)
class ScaleUse(AbstractUse):
    """out = W * input + b, elementwise, W and b constant along the axes ``shared`` of a sample."""

    shared: tuple[int, ...]

    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Sum over the shared axes of delta times the normalised input."""
        return self.bias_rows(delta * self.input[:, None])[..., channels]

    def bias_rows(self, delta: Tensor) -> Tensor:
        """Sum over the shared axes of delta."""
        axes = [axis + 2 for axis in self.shared]
        return (delta.sum(axes) if axes else delta).flatten(2)
