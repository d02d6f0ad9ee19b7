"""The products of a layer in registers: four samples by eight units, or four by eight weights.

Values are stored in blocks of eight channels, (blocks, positions, rows, 8), rows being samples
filled up to a multiple of four. Weights are stored in panels, (blocks, slots, depth, 8): for each
block of eight outputs and each slot, the weights of all inputs one after another. Links list what
each position sees: (input position, slot).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from llr.training._disk_cache import INLINE, INNER
from llr.training.compiled._descent_rule import Hyperparameters, Rates, move
from llr.training.simd import (
    LANES,
    lane_sum,
    load,
    load_splat,
    multiply_add,
    splat_of,
    store,
)

__all__ = [
    "TILE",
    "Panels",
    "Values",
    "multiply_block",
    "read_out",
    "sum_rows",
    "update_panels",
    "update_readout",
]

TILE = 4
"""Samples that go through a block of units together, each of its weights loaded once."""


class Values(NamedTuple):
    """Values of a layer in an array: where they begin, and their shape."""

    at: int
    channels: int
    positions: int
    rows: int


class Panels(NamedTuple):
    """Weights in an array: where they begin, slots, and inputs per slot, padding included."""

    at: int
    slots: int
    depth: int


@njit(**INNER)
def multiply_block(
    weights: np.ndarray,
    panels: Panels,
    b: int,
    bias: np.ndarray,
    bias_at: int,
    bias_step: int,
    x: np.ndarray,
    source: Values,
    offsets: np.ndarray,
    links: np.ndarray,
    out: np.ndarray,
    target: Values,
    tiles: int,
    scaled: bool,
) -> None:
    """Write block b of W x + bias; where ``scaled``, multiply what is there by it instead.

    Args:
        weights: holds the panels.
        panels: of the weights.
        b: block of outputs.
        bias: holds the biases.
        bias_at: where those of this block begin; below 0: none.
        bias_step: from one position to the next; 0: all positions share them.
        x: holds the inputs.
        source: of the inputs.
        offsets: (P + 1,) where the links of each output position begin.
        links: input position and slot, in turns.
        out: receives the outputs.
        target: of the outputs.
        tiles: of samples.
        scaled: see above.
    """
    next_block = source.positions * source.rows * LANES
    for p in range(target.positions):
        begin, end = offsets[p], offsets[p + 1]
        start = splat_of(weights, 0.0)
        if bias_at >= 0:
            start = load(bias, bias_at + p * bias_step)
        at = target.at + (b * target.positions + p) * target.rows * LANES
        for i in range(0, tiles * TILE, TILE):
            z0 = z1 = z2 = z3 = start
            for j in range(begin, end):
                w = panels.at + (b * panels.slots + links[2 * j + 1]) * panels.depth * LANES
                h = source.at + (links[2 * j] * source.rows + i) * LANES
                for k in range(0, source.channels, LANES):
                    for lane in range(min(LANES, source.channels - k)):
                        weight = load(weights, w)
                        z0 = multiply_add(weight, load_splat(x, h + lane), z0)
                        z1 = multiply_add(weight, load_splat(x, h + LANES + lane), z1)
                        z2 = multiply_add(weight, load_splat(x, h + 2 * LANES + lane), z2)
                        z3 = multiply_add(weight, load_splat(x, h + 3 * LANES + lane), z3)
                        w += LANES
                    h += next_block
            if scaled:
                z0, z1 = z0 * load(out, at), z1 * load(out, at + LANES)
                z2, z3 = z2 * load(out, at + 2 * LANES), z3 * load(out, at + 3 * LANES)
            store(out, at, z0)
            store(out, at + LANES, z1)
            store(out, at + 2 * LANES, z2)
            store(out, at + 3 * LANES, z3)
            at += TILE * LANES


@njit(**INNER)
def update_panels(
    hyper: Hyperparameters,
    rates: Rates,
    space: Any,
    panels: Panels,
    b: int,
    target: Values,
    x: np.ndarray,
    source: Values,
    offsets: np.ndarray,
    pairs: np.ndarray,
    tiles: int,
) -> None:
    """One step of the weights of block b; each gradient stays in registers until it is used.

    The gradient of the weights of a slot is the sum of slope times x over the samples and over the
    pairs (output position, input position) that use the slot: ``offsets`` (S + 1,) and ``pairs``.
    """
    zero = splat_of(space.theta, 0.0)
    for slot in range(panels.slots):
        begin, end = offsets[slot], offsets[slot + 1]
        for k in range(0, source.channels, LANES):
            w = panels.at + ((b * panels.slots + slot) * panels.depth + k) * LANES
            lanes, lane = min(LANES, source.channels - k), 0
            block = (k // LANES) * source.positions
            while lane + 4 <= lanes:
                g0 = g1 = g2 = g3 = zero
                for j in range(begin, end):
                    d = target.at + (b * target.positions + pairs[2 * j]) * target.rows * LANES
                    h = source.at + (block + pairs[2 * j + 1]) * source.rows * LANES + lane
                    for _ in range(tiles * TILE):
                        slope = load(space.slopes, d)
                        g0 = multiply_add(slope, load_splat(x, h), g0)
                        g1 = multiply_add(slope, load_splat(x, h + 1), g1)
                        g2 = multiply_add(slope, load_splat(x, h + 2), g2)
                        g3 = multiply_add(slope, load_splat(x, h + 3), g3)
                        d += LANES
                        h += LANES
                at = w + lane * LANES
                move(hyper, rates, space, at, g0)
                move(hyper, rates, space, at + LANES, g1)
                move(hyper, rates, space, at + 2 * LANES, g2)
                move(hyper, rates, space, at + 3 * LANES, g3)
                lane += 4
            while lane < lanes:
                g0 = g1 = g2 = g3 = zero
                for j in range(begin, end):
                    d = target.at + (b * target.positions + pairs[2 * j]) * target.rows * LANES
                    h = source.at + (block + pairs[2 * j + 1]) * source.rows * LANES + lane
                    for _ in range(tiles):
                        g0 = multiply_add(load(space.slopes, d), load_splat(x, h), g0)
                        g1 = multiply_add(
                            load(space.slopes, d + LANES), load_splat(x, h + LANES), g1
                        )
                        h2, h3 = h + 2 * LANES, h + 3 * LANES
                        g2 = multiply_add(load(space.slopes, d + 2 * LANES), load_splat(x, h2), g2)
                        g3 = multiply_add(load(space.slopes, d + 3 * LANES), load_splat(x, h3), g3)
                        d += TILE * LANES
                        h += TILE * LANES
                gradient = (g0 + g1) + (g2 + g3)
                move(hyper, rates, space, w + lane * LANES, gradient)
                lane += 1


@njit(**INLINE)
def sum_rows(delta: np.ndarray, at: int, tiles: int) -> Any:
    """The sum of eight channels over all samples, from an index on."""
    g0 = g1 = g2 = g3 = splat_of(delta, 0.0)
    for _ in range(tiles):
        g0, g1 = g0 + load(delta, at), g1 + load(delta, at + LANES)
        g2, g3 = g2 + load(delta, at + 2 * LANES), g3 + load(delta, at + 3 * LANES)
        at += TILE * LANES
    return (g0 + g1) + (g2 + g3)


@njit(**INNER)
def read_out(
    theta: np.ndarray,
    panels: Panels,
    n_outputs: int,
    bias_at: int,
    x: np.ndarray,
    source: Values,
    out: np.ndarray,
    target: Values,
    tiles: int,
) -> None:
    """Write a few outputs (at most eight) that see everything, from weights in input blocks.

    Panels are (input blocks, slots, outputs, 8): a slot for each position of the input.
    """
    for i in range(0, tiles * TILE, TILE):
        for u in range(n_outputs):
            f0 = f1 = f2 = f3 = splat_of(theta, 0.0)
            w = panels.at + u * LANES
            h = source.at + i * LANES
            for _ in range((source.channels + LANES - 1) // LANES * source.positions):
                weight = load(theta, w)
                f0 = multiply_add(weight, load(x, h), f0)
                f1 = multiply_add(weight, load(x, h + LANES), f1)
                f2 = multiply_add(weight, load(x, h + 2 * LANES), f2)
                f3 = multiply_add(weight, load(x, h + 3 * LANES), f3)
                w += n_outputs * LANES
                h += source.rows * LANES
            bias = theta[bias_at + u] if bias_at >= 0 else theta[0] * 0
            at = target.at + i * LANES + u
            out[at] = lane_sum(f0) + bias
            out[at + LANES] = lane_sum(f1) + bias
            out[at + 2 * LANES] = lane_sum(f2) + bias
            out[at + 3 * LANES] = lane_sum(f3) + bias


@njit(**INNER)
def update_readout(
    hyper: Hyperparameters,
    rates: Rates,
    space: Any,
    panels: Panels,
    n_outputs: int,
    target: Values,
    x: np.ndarray,
    source: Values,
    present: np.ndarray,
    tiles: int,
) -> None:
    """One step of the weights of :func:`read_out`; ``present`` is 0 at lanes without a channel."""
    blocks = (source.channels + LANES - 1) // LANES
    h = source.at
    w = panels.at
    for b in range(blocks):
        for _ in range(source.positions):
            for u in range(n_outputs):
                g0 = g1 = g2 = g3 = splat_of(space.theta, 0.0)
                d, k = target.at + u, h
                for _ in range(tiles):
                    g0 = multiply_add(load(x, k), load_splat(space.slopes, d), g0)
                    g1 = multiply_add(load(x, k + LANES), load_splat(space.slopes, d + LANES), g1)
                    d2, d3 = d + 2 * LANES, d + 3 * LANES
                    g2 = multiply_add(load(x, k + 2 * LANES), load_splat(space.slopes, d2), g2)
                    g3 = multiply_add(load(x, k + 3 * LANES), load_splat(space.slopes, d3), g3)
                    d += TILE * LANES
                    k += TILE * LANES
                gradient = (g0 + g1) + (g2 + g3)
                if b == blocks - 1:
                    gradient = gradient * load(present, 0)
                move(hyper, rates, space, w, gradient)
                w += LANES
            h += source.rows * LANES
