"""What a hidden layer offers to the next one: the columns of a linear least-squares problem.

The next layer's values are linear in its weights. Its R rows are samples, times positions where
these share their weights; where they do not, each of the G positions is a problem of its own.
The columns are channels times taps, and a last column of ones where the next layer has a bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from llr.diagnostics.condensing._layer_values import (
    LayerWeights,
    WeightedLayer,
    activate,
    preactivations,
    taps,
)
from llr.models import ACTIVATIONS, Layer

__all__ = ["Block", "columns_of", "rows_of", "slopes", "unit_features", "upper_weights"]


@dataclass(frozen=True, eq=False)
class Block:
    """A hidden layer and the next layer with weights."""

    lower: WeightedLayer
    upper: Layer


def unit_features(block: Block, weights: LayerWeights, h: Tensor) -> Tensor:
    """The value of each channel at each tap of the next layer: (K, G, R, T)."""
    values = activate(block.lower, preactivations(block.lower.layer, weights, h))
    return _grouped(block, values)


def _grouped(block: Block, values: Tensor) -> Tensor:
    """Values (..., n, K, positions) at the taps of the next layer: (..., K, G, R, T)."""
    seen = taps(block.upper, values).movedim(-3, -4)  # (..., K, n, P, T)
    if block.upper.shared:
        return seen.flatten(-3, -2).unsqueeze(-3)
    return seen.movedim(-2, -3)


def columns_of(block: Block, features: Tensor) -> Tensor:
    """The matrix of the linear problem, (G, R, K T + 1), without the last where no bias is."""
    columns = features.permute(1, 2, 0, 3).flatten(2)
    if block.upper.bias is None:
        return columns
    return torch.cat([columns, columns.new_ones(*columns.shape[:2], 1)], dim=2)


def rows_of(block: Block, z: Tensor) -> Tensor:
    """Values (n, O, P) of the next layer as right-hand sides, (G, R, O)."""
    if block.upper.shared:
        return z.movedim(1, 2).flatten(0, 1)[None]
    return z.permute(2, 0, 1)


def upper_weights(block: Block, solution: Tensor, channels: int) -> LayerWeights:
    """The solution (G, K T + 1, O) of the linear problem as weights of the next layer."""
    groups, _, outputs = solution.shape
    n_taps = block.upper.seen.shape[1]
    weight = solution[:, : channels * n_taps].reshape(groups, channels, n_taps, outputs)
    weight = weight.permute(3, 0, 1, 2)
    bias = None if block.upper.bias is None else solution[:, -1].T
    if not block.upper.shared:
        return LayerWeights(weight, bias)
    return LayerWeights(weight[:, 0], None if bias is None else bias[:, 0])


def slopes(block: Block, weights: LayerWeights, h: Tensor) -> Tensor:
    """Derivatives of each channel's features by its own weights and bias: (Q, K, G, R, T).

    The weights of a channel come first, flattened, then its bias or biases.
    """
    layer = block.lower.layer
    seen = taps(layer, h)  # (n, C, P, T)
    n, _, positions, _ = seen.shape
    if layer.shared:
        moves = seen.permute(1, 3, 0, 2).reshape(-1, n, positions)
        bias_moves = seen.new_ones(1, n, positions)
    else:
        each = torch.eye(positions, dtype=h.dtype)
        moves = torch.einsum("ncpt,pr->pctnr", seen, each).reshape(-1, n, positions)
        bias_moves = each[:, None].expand(positions, n, positions)
    if weights.bias is not None:
        moves = torch.cat([moves, bias_moves])
    z = preactivations(layer, weights, h)
    row = ACTIVATIONS[layer.activation]
    values, change = row.function(z), row.derivative(z) * moves[:, :, None]
    for pooling in block.lower.poolings:
        scale = torch.from_numpy(pooling.divisor)
        values, change = (taps(pooling, v).sum(-1) / scale for v in (values, change))
        row = ACTIVATIONS[pooling.activation]
        values, change = row.function(values), row.derivative(values) * change
    return _grouped(block, change)
