"""What became of each hidden unit of the wide network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from llr.diagnostics.condensing._layer_features import Block, unit_features
from llr.diagnostics.condensing._layer_values import activate, first_values, preactivations
from llr.diagnostics.condensing._unit_starts import contributions, directions
from llr.diagnostics.condensing._wide_values import LayeredFunction, WideValues

__all__ = ["CondensedUnit", "unit_fates"]

ALIKE = 0.99
"""Correlation of two units' functions from which they count as one up to sign and scale."""

ROUNDING = 1e-13
"""A share of this size is zero."""


@dataclass(frozen=True)
class CondensedUnit:
    """What became of one hidden unit (neuron, or channel of a convolution).

    Attributes:
        layer: its hidden layer, from 0.
        unit: its number there.
        fate: "merged": its function is that of one unit of the narrow network, up to sign and
            scale, with a correlation of 0.99 or more; "spread": it is no one's, and its part is
            taken over by several; "negligible": what it adds is below the error of the function.
        neuron: the unit of the narrow network most like it, None where it is negligible.
        correlation: with that unit, between -1 and 1.
        share: the norm of what it adds to the next layer, over that of the next layer's values.
    """

    layer: int
    unit: int
    fate: Literal["merged", "spread", "negligible"]
    neuron: int | None
    correlation: float
    share: float


def unit_fates(
    wide: WideValues, reduced: LayeredFunction, x: torch.Tensor, error: float
) -> tuple[CondensedUnit, ...]:
    """The fates of all hidden units, layer by layer.

    Args:
        wide: the network and its values on samples.
        reduced: the narrow network.
        x: the same samples.
        error: relative error of the function: what adds less is negligible.

    Returns:
        The fates.
    """
    function, fates = wide.function, list[CondensedUnit]()
    h, g = wide.seen, first_values(reduced.network, reduced.poolings, x)
    for l in range(len(function.widths)):
        lower = function.layers[l]
        block, scale = Block(lower, function.layers[l + 1].layer), wide.influence[l + 1]
        features = unit_features(block, function.weights[l], h)
        after = wide.before[l + 1] * scale[:, None]
        whole = float((after - after.mean((0, 2), keepdim=True)).norm())
        shares = contributions(block, features, function.weights[l + 1], scale) / max(whole, 1e-300)
        alike = directions(features) @ directions(unit_features(block, reduced.weights[l], g)).T
        best = alike.abs().argmax(1)
        for unit, (neuron, share) in enumerate(zip(best.tolist(), shares.tolist(), strict=True)):
            correlation = float(alike[unit, neuron])
            if share <= max(error, ROUNDING):
                fate, neuron = "negligible", None
            else:
                fate = "merged" if abs(correlation) >= ALIKE else "spread"
            fates.append(CondensedUnit(l, unit, fate, neuron, correlation, share))
        h = activate(lower, preactivations(lower.layer, function.weights[l], h))
        g = activate(lower, preactivations(lower.layer, reduced.weights[l], g))
    return tuple(fates)
