"""Units of the wide network to begin a fit with: picked one by one, by cluster, at random."""

from __future__ import annotations

import torch
from torch import Tensor

from llr.diagnostics.condensing._layer_features import Block, columns_of
from llr.diagnostics.condensing._layer_values import LayerWeights
from llr.diagnostics.condensing._variable_projection import projection

__all__ = ["chosen_units", "cluster_units", "contributions", "greedy_units", "joined_units"]

GONE = 1e-8  # of a unit's norm: what is left of it counts as nothing
ROUNDS = 10  # of clustering


def chosen_units(weights: LayerWeights, units: list[int]) -> LayerWeights:
    """Some of the units."""
    return LayerWeights(
        weights.weight[units], None if weights.bias is None else weights.bias[units]
    )


def joined_units(first: LayerWeights, second: LayerWeights) -> LayerWeights:
    """The units of both."""
    bias = None
    if first.bias is not None and second.bias is not None:
        bias = torch.cat([first.bias, second.bias])
    return LayerWeights(torch.cat([first.weight, second.weight]), bias)


def greedy_units(
    block: Block, candidates: Tensor, wanted: Tensor, count: int, given: Tensor
) -> list[int]:
    """Candidates that, one after another, leave the least of the wanted values.

    Args:
        block: the layer and the next one.
        candidates: features (m, G, R, T).
        wanted: values of the next layer, (G, R, O).
        count: how many to choose.
        given: features (k, G, R, T) of units that are there already.

    Returns:
        Their indices, in the order of choice.
    """
    chosen: list[int] = []
    for _ in range(count):
        found = projection(columns_of(block, torch.cat([given, candidates[chosen]])), wanted)
        left = found.remove(candidates)
        factor = torch.linalg.qr(left)
        size = factor.R.diagonal(dim1=-2, dim2=-1).abs()
        seen = size > GONE * candidates.norm(dim=-2).clamp(min=1e-300)
        gains = ((factor.Q * seen[..., None, :]).mT @ found.residual).square().sum((1, 2, 3))
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
    return chosen


def contributions(block: Block, features: Tensor, outgoing: LayerWeights, scale: Tensor) -> Tensor:
    """The norm of what each unit adds to the next layer's values, its mean left out, (m,)."""
    weight = outgoing.weight if block.upper.shared else outgoing.weight.movedim(0, 2)
    pattern = "mgrt,omt->mgro" if block.upper.shared else "mgrt,gmot->mgro"
    added = torch.einsum(pattern, features, weight) * scale
    return (added - added.mean(2, keepdim=True)).flatten(1).norm(dim=1)


def directions(features: Tensor) -> Tensor:
    """Each unit's function, its mean left out, as a unit vector (m, r); zero if constant."""
    values = features.flatten(1)
    size = values.norm(dim=1, keepdim=True)
    values = values - values.mean(1, keepdim=True)
    norm = values.norm(dim=1, keepdim=True)
    return torch.where(norm > GONE * size, values / norm.clamp(min=1e-300), 0.0)


def cluster_units(features: Tensor, sizes: Tensor, count: int) -> list[int]:
    """One unit of each of ``count`` clusters of functions, equal up to sign and scale.

    Args:
        features: (m, G, R, T).
        sizes: (m,) how much each unit counts.
        count: number of clusters.

    Returns:
        The unit nearest to the middle of each cluster, the large ones preferred.
    """
    units = directions(features)
    centres = units[[int(sizes.argmax())]]
    while len(centres) < count:
        apart = 1 - (units @ centres.T).square().amax(1)
        centres = torch.cat([centres, units[[int((sizes.square() * apart).argmax())]]])
    for _ in range(ROUNDS):
        label = (units @ centres.T).abs().argmax(1)
        for number in range(count):
            members = (sizes[:, None] * units)[label == number]
            if bool(members.any()):
                centres[number] = torch.linalg.svd(members, full_matrices=False).Vh[0]
    near = (units @ centres.T).abs() * sizes[:, None]
    chosen: list[int] = []
    for number in range(count):
        near[chosen] = -1
        chosen.append(int(near[:, number].argmax()))
    return chosen
