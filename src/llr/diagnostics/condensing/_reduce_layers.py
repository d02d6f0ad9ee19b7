"""Reduce a network to given widths, from its first hidden layer up.

Each hidden layer is fitted to the values of the next one before the activation, a two-layer
problem. The fit of one layer says how the next layer's units look at the reduced one: these are
the candidates there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llr.diagnostics.condensing._layer_features import Block, rows_of, unit_features, upper_weights
from llr.diagnostics.condensing._layer_values import LayerWeights, activate, preactivations
from llr.diagnostics.condensing._unit_starts import (
    chosen_units,
    cluster_units,
    contributions,
    greedy_units,
    joined_units,
)
from llr.diagnostics.condensing._variable_projection import BlockFit, fit_block
from llr.diagnostics.condensing._wide_values import LayeredFunction, WideValues
from llr.seeds import generator

__all__ = ["reduce_layers"]

FIRST_STEPS, LAST_STEPS = 20, 100  # of every start, and of the best one
RANDOM_STARTS = 1
EXACT = 1e-13  # a relative error that no other start can improve


def reduce_layers(
    wide: WideValues, widths: tuple[int, ...], narrower: LayeredFunction | None, seed: int
) -> LayeredFunction:
    """The network with the given widths that fits each layer in turn.

    Args:
        wide: the network and its values on samples.
        widths: number of channels of each hidden layer, at most those of the network.
        narrower: a network already reduced, whose first layer is one of the starts.
        seed: of the random starts.

    Returns:
        The reduced network.
    """
    function, h = wide.function, wide.seen
    candidates, reduced = function.weights[0], list[LayerWeights]()
    for l, width in enumerate(widths):
        block = Block(function.layers[l], function.layers[l + 1].layer)
        scale = wide.influence[l + 1]
        wanted = rows_of(block, wide.before[l + 1]) * scale
        previous = narrower.weights[0] if l == 0 and narrower is not None else None
        starts = _starts(
            block,
            candidates,
            h,
            wanted,
            width,
            (function.weights[l + 1], scale),
            previous,
            generator(seed, "probe", "condense", l, width),
        )
        fit = _best(block, starts, h, wanted)
        reduced.append(fit.weights)
        lower = function.layers[l]
        h = activate(lower, preactivations(lower.layer, fit.weights, h))
        divisor = torch.where(scale > 0, scale, torch.inf)
        candidates = upper_weights(block, fit.solution / divisor, width)
    return function.with_weights((*reduced, candidates))


def _starts(
    block: Block,
    candidates: LayerWeights,
    h: Tensor,
    wanted: Tensor,
    width: int,
    outgoing: tuple[LayerWeights, Tensor],
    previous: LayerWeights | None,
    source: torch.Generator,
) -> list[LayerWeights]:
    """Units to begin with, one set for each start."""
    if width >= candidates.channels:
        return [candidates]
    features = unit_features(block, candidates, h)
    none = features[:0]
    sizes = contributions(block, features, *outgoing)
    sets = [
        greedy_units(block, features, wanted, width, none),
        cluster_units(features, sizes, width),
    ]
    chances = sizes + 1e-3 * sizes.max() + torch.finfo(sizes.dtype).tiny
    sets += [
        torch.multinomial(chances, width, generator=source).tolist() for _ in range(RANDOM_STARTS)
    ]
    unequal = list({tuple(sorted(units)): units for units in sets}.values())
    starts = [chosen_units(candidates, units) for units in unequal]
    if previous is not None and previous.channels < width:
        given = unit_features(block, previous, h)
        more = greedy_units(block, features, wanted, width - previous.channels, given)
        starts.insert(0, joined_units(previous, chosen_units(candidates, more)))
    return starts


def _best(block: Block, starts: list[LayerWeights], h: Tensor, wanted: Tensor) -> BlockFit:
    """The best of the fits from all starts."""
    best = None
    for start in starts:
        fit = fit_block(block, start, h, wanted, max_steps=FIRST_STEPS)
        if best is None or fit.error < best.error:
            best = fit
        if best.error < EXACT:
            return best
    assert best is not None
    return fit_block(block, best.weights, h, wanted, max_steps=LAST_STEPS)
