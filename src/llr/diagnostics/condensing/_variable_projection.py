"""Least squares on the function of a hidden layer: its outgoing weights are solved for exactly.

With the columns F(w) of the units and the wanted values Z, the best outgoing weights are
F(w)^+ Z, so only the units' own weights w are searched, by Levenberg and Marquardt's method on
r(w) = (1 - F F^+) Z with Kaufman's Jacobian, -(1 - F F^+) dF F^+ Z.

References:
    Golub and Pereyra, SIAM J. Numer. Anal. 10(2), 1973; Kaufman, BIT 15, 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llr.diagnostics.condensing._layer_features import Block, columns_of, slopes, unit_features
from llr.diagnostics.condensing._layer_values import LayerWeights
from llr.diagnostics.condensing._marquardt import marquardt

__all__ = ["BlockFit", "Projection", "fit_block", "projection"]

RCOND = 1e-13
"""Directions of the columns below this, in units of the largest, are left out."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The linear part: the best outgoing weights for given units.

    Attributes:
        basis: orthonormal columns, zero where left out, (G, R, S).
        solution: outgoing weights (G, S, O).
        residual: (G, R, O).
    """

    basis: Tensor
    solution: Tensor
    residual: Tensor

    def remove(self, values: Tensor) -> Tensor:
        """Values (..., G, R, O) without their part in the span of the columns."""
        return values - self.basis @ (self.basis.mT @ values)


def projection(columns: Tensor, wanted: Tensor) -> Projection:
    """Solve the linear least-squares problem of each group."""
    left, values, right = torch.linalg.svd(columns, full_matrices=False)
    kept = values > RCOND * values[:, :1]
    basis = left * kept[:, None]
    inverse = torch.where(kept, 1 / values, 0.0)
    parts = basis.mT @ wanted
    solution = right.mT @ (inverse[..., None] * parts)
    residual = wanted - basis @ parts
    residual = residual - basis @ (basis.mT @ residual)  # to the last digits
    return Projection(basis, solution, residual)


@dataclass(frozen=True, eq=False)
class BlockFit:
    """Units fitted to the next layer's values.

    Attributes:
        weights: of the units.
        solution: outgoing weights, (G, S, O).
        error: norm of the residual over that of the wanted values.
    """

    weights: LayerWeights
    solution: Tensor
    error: float


def fit_block(
    block: Block, start: LayerWeights, h: Tensor, wanted: Tensor, *, max_steps: int
) -> BlockFit:
    """Fit the units of a hidden layer to the next layer's values.

    Args:
        block: the layer and the next one.
        start: the units to begin with.
        h: what the layer sees, (n, C, positions).
        wanted: values of the next layer, (G, R, O).
        max_steps: most steps.

    Returns:
        The fitted units and their outgoing weights.
    """

    def unpacked(theta: Tensor) -> LayerWeights:
        rows = theta.reshape(start.channels, -1)
        size = start.weight[0].numel()
        bias = None if start.bias is None else rows[:, size:].reshape(start.bias.shape)
        return LayerWeights(rows[:, :size].reshape(start.weight.shape), bias)

    def at(theta: Tensor) -> Projection:
        return projection(columns_of(block, unit_features(block, unpacked(theta), h)), wanted)

    def jacobian(theta: Tensor, found: Projection) -> Tensor:
        weights = unpacked(theta)
        channels, n_taps = weights.channels, block.upper.seen.shape[1]
        outgoing = found.solution[:, : channels * n_taps]
        outgoing = outgoing.reshape(len(outgoing), channels, n_taps, -1)  # (G, K, T, O)
        moved = torch.einsum("qkgrt,gkto->kqgro", slopes(block, weights, h), outgoing)
        return -found.remove(moved).flatten(2).flatten(0, 1).T

    parts = [start.weight.flatten(1)]
    if start.bias is not None:
        parts.append(start.bias.reshape(start.channels, -1))
    theta, found, _ = marquardt(
        torch.cat(parts, dim=1).flatten(),
        at,
        lambda p: p.residual.flatten(),
        jacobian,
        scale=float(wanted.norm()),
        max_steps=max_steps,
    )
    scale = max(float(wanted.norm()), torch.finfo(torch.float64).tiny)
    return BlockFit(unpacked(theta), found.solution, float(found.residual.norm()) / scale)
