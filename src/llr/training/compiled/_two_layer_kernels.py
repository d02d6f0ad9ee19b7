"""Descent of one two-layer tanh run, compiled: tiles of four samples by eight units.

Layout of the parameters, in blocks of eight channels (the last one filled up with zeros, which
stay zero): kernels w and bias b as (Q, blocks, s + 1, 8), then output weights a (P, blocks, 8),
then the output bias eight times. Inputs are patches (P, tiles, s, 4), the last tile filled up with
zeros, whose errors are zero; hidden activations are (P, blocks, tiles, 4, 8).

Everything here is compiled on first use and cached on disk by Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from llr.training import simd
from llr.training._disk_cache import INLINE, INNER, KERNEL, kept_on_disk
from llr.training.compiled import _descent_rule
from llr.training.compiled._descent_rule import Hyperparameters, Rates, move, rates_at
from llr.training.simd import (
    LANES,
    keep_lanes,
    lane_sum,
    load,
    load_splat,
    multiply_add,
    splat,
    splitmix64,
    store,
    tanh,
)

__all__ = ["SOURCES", "TILE", "Data", "Sizes", "Workspace", "descend"]

TILE = 4
"""Samples that go through a block of units together, each of its weights loaded once."""


class Sizes(NamedTuple):
    """Sizes of the network and of its training set."""

    positions: int  # P
    kernels: int  # Q
    blocks: int  # ceil(channels / 8)
    window: int  # s
    samples: int  # n
    tiles: int  # of samples that the array of hidden activations can hold, at least ceil(n / 4)
    hidden_bias: bool
    output_bias: bool


class Data(NamedTuple):
    """Patches (P, ceil(n / 4), s, 4) and outputs (n,), flat."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


class Workspace(NamedTuple):
    """Arrays that every step reads and writes, flat."""

    theta: np.ndarray
    first: np.ndarray  # Adam's moments, in the layout of theta
    second: np.ndarray
    hidden: np.ndarray  # (P, blocks, tiles, 4, 8)
    slope: np.ndarray  # likewise; used with dropout
    outputs: np.ndarray  # (tiles, 4), later the errors
    gradient: np.ndarray  # (2, s + 1, 8)


@njit(**INNER)
def _forward(
    size: Sizes,
    theta: np.ndarray,
    x: np.ndarray,
    first: int,
    tiles: int,
    total: int,
    space: Workspace,
) -> None:
    """Hidden activations and outputs at ``tiles`` tiles, from ``first`` on of ``total`` in x."""
    hidden, outputs = space.hidden, space.outputs
    s, blocks = size.window, size.blocks
    kernel, a0 = (s + 1) * LANES, size.kernels * blocks * (s + 1) * LANES
    bias = theta[theta.size - 1]
    for i in range(tiles):
        f0 = f1 = f2 = f3 = splat(0.0)
        for p in range(size.positions):
            q = p if size.kernels > 1 else 0
            patch = (p * total + first + i) * s * TILE
            for b in range(blocks):
                w = (q * blocks + b) * kernel
                z0 = z1 = z2 = z3 = load(theta, w + s * LANES)
                for k in range(s):
                    weight = load(theta, w + k * LANES)
                    z0 = multiply_add(weight, load_splat(x, patch + k * TILE), z0)
                    z1 = multiply_add(weight, load_splat(x, patch + k * TILE + 1), z1)
                    z2 = multiply_add(weight, load_splat(x, patch + k * TILE + 2), z2)
                    z3 = multiply_add(weight, load_splat(x, patch + k * TILE + 3), z3)
                h0, h1, h2, h3 = tanh(z0), tanh(z1), tanh(z2), tanh(z3)
                at = ((p * blocks + b) * size.tiles + i) * TILE * LANES
                store(hidden, at, h0)
                store(hidden, at + LANES, h1)
                store(hidden, at + 2 * LANES, h2)
                store(hidden, at + 3 * LANES, h3)
                a = load(theta, a0 + (p * blocks + b) * LANES)
                f0 = multiply_add(a, h0, f0)
                f1 = multiply_add(a, h1, f1)
                f2 = multiply_add(a, h2, f2)
                f3 = multiply_add(a, h3, f3)
        outputs[i * TILE] = lane_sum(f0) + bias
        outputs[i * TILE + 1] = lane_sum(f1) + bias
        outputs[i * TILE + 2] = lane_sum(f2) + bias
        outputs[i * TILE + 3] = lane_sum(f3) + bias


@njit(**INNER)
def _drop(size: Sizes, hyper: Hyperparameters, t: int, space: Workspace) -> None:
    """Apply the dropout mask of step t: masked activations and slopes, outputs without them."""
    theta, hidden = space.theta, space.hidden
    a0 = size.kernels * size.blocks * (size.window + 1) * LANES
    key = splitmix64(splitmix64(hyper.seed) + t)
    for i in range(size.samples):
        row_key = splitmix64(key + i)
        f = splat(0.0)
        for p in range(size.positions):
            for b in range(size.blocks):
                # units are numbered channel by channel: unit = channel P + position
                unit = b * LANES * size.positions + p
                mask = keep_lanes(
                    row_key, unit, size.positions, hyper.keep_threshold, hyper.keep_factor
                )
                at = ((p * size.blocks + b) * size.tiles * TILE + i) * LANES
                h = load(hidden, at)
                store(space.slope, at, multiply_add(-h, h, splat(1.0)) * mask)
                store(hidden, at, h * mask)
                a = load(theta, a0 + (p * size.blocks + b) * LANES)
                f = multiply_add(a, h * mask, f)
        space.outputs[i] = lane_sum(f) + theta[theta.size - 1]


@njit(**INLINE)
def _slope(hyper: Hyperparameters, space: Workspace, at: int, h: Any) -> Any:
    """The derivative of tanh at z, from h = tanh(z), masked."""
    return load(space.slope, at) if hyper.dropout else multiply_add(-h, h, splat(1.0))


@njit(**INNER)
def _backward(
    size: Sizes, hyper: Hyperparameters, rates: Rates, x: np.ndarray, space: Workspace
) -> None:
    """Gradient from the activations and errors, block by block, and the step with it.

    dL/da = sum_x e h and dL/dw = sum over positions of a sum_x e h' x.
    """
    hidden, errors, g = space.hidden, space.outputs, space.gradient
    s, blocks, tiles = size.window, size.blocks, -(-size.samples // TILE)
    kernel, a0 = (s + 1) * LANES, size.kernels * blocks * (s + 1) * LANES
    trained = s + size.hidden_bias
    for q in range(size.kernels):
        begin = q if size.kernels > 1 else 0
        end = q + 1 if size.kernels > 1 else size.positions
        for b in range(blocks):
            for k in range(s + 1):
                store(g, kernel + k * LANES, splat(0.0))
            for p in range(begin, end):
                for k in range(s):
                    store(g, k * LANES, splat(0.0))
                g_a = g_b = splat(0.0)
                at, patch = (p * blocks + b) * size.tiles * TILE * LANES, p * tiles * s * TILE
                for i in range(0, tiles * TILE, TILE):
                    h0, h1 = load(hidden, at), load(hidden, at + LANES)
                    h2, h3 = load(hidden, at + 2 * LANES), load(hidden, at + 3 * LANES)
                    e0, e1 = load_splat(errors, i), load_splat(errors, i + 1)
                    e2, e3 = load_splat(errors, i + 2), load_splat(errors, i + 3)
                    g_a = multiply_add(h0, e0, multiply_add(h1, e1, g_a))
                    g_a = multiply_add(h2, e2, multiply_add(h3, e3, g_a))
                    d0 = _slope(hyper, space, at, h0) * e0
                    d1 = _slope(hyper, space, at + LANES, h1) * e1
                    d2 = _slope(hyper, space, at + 2 * LANES, h2) * e2
                    d3 = _slope(hyper, space, at + 3 * LANES, h3) * e3
                    for k in range(s):
                        g_k = load(g, k * LANES)
                        g_k = multiply_add(d0, load_splat(x, patch + k * TILE), g_k)
                        g_k = multiply_add(d1, load_splat(x, patch + k * TILE + 1), g_k)
                        g_k = multiply_add(d2, load_splat(x, patch + k * TILE + 2), g_k)
                        g_k = multiply_add(d3, load_splat(x, patch + k * TILE + 3), g_k)
                        store(g, k * LANES, g_k)
                    g_b = g_b + ((d0 + d1) + (d2 + d3))
                    at += TILE * LANES
                    patch += s * TILE
                store(g, s * LANES, g_b)
                output = a0 + (p * blocks + b) * LANES
                a = load(space.theta, output)
                for k in range(trained):
                    total = load(g, kernel + k * LANES)
                    store(g, kernel + k * LANES, multiply_add(a, load(g, k * LANES), total))
                move(hyper, rates, space, output, g_a)
            w = (q * blocks + b) * kernel
            for k in range(trained):
                move(hyper, rates, space, w + k * LANES, load(g, kernel + k * LANES))


@njit(**INNER)
def _test_mse(size: Sizes, data: Data, space: Workspace) -> float:
    """Test MSE, as many tiles at once as the array of activations can hold."""
    n, loss = data.y_test.size, 0.0
    total = -(-n // TILE)
    for first in range(0, total, size.tiles):
        _forward(
            size, space.theta, data.x_test, first, min(size.tiles, total - first), total, space
        )
        start = first * TILE
        for i in range(min(size.tiles * TILE, n - start)):
            loss += (space.outputs[i] - data.y_test[start + i]) ** 2
    return loss / n


@njit(inline="always", **INNER)
def _descend(
    size: Sizes,
    hyper: Hyperparameters,
    data: Data,
    space: Workspace,
    grid: Any,
    recorded: Any,
    t: int,
    until: int,
) -> tuple[int, bool, float, float]:
    """From step t to the end of the run, or to step ``until`` if that comes first.

    Args:
        size: sizes of the network.
        hyper: how to train.
        data: training and test samples.
        space: parameters after t steps, moments, and arrays to write to.
        grid: steps at which losses are recorded, increasing.
        recorded: (2, h), training and test MSE at those steps.
        t: steps taken so far.
        until: step at which to return in any case.

    Returns:
        Steps taken, whether the run has ended, and its training and test MSE (the latter only
        where it has ended).
    """
    n, tiles, theta = size.samples, -(-size.samples // TILE), space.theta
    k = np.searchsorted(grid, t)
    while True:
        record = grid[k] == t
        if record:
            recorded[1, k] = _test_mse(size, data, space)
        _forward(size, theta, data.x, 0, tiles, tiles, space)
        loss = 0.0
        for i in range(n):
            loss += (space.outputs[i] - data.y[i]) ** 2
        mse = loss / n
        if record:
            recorded[0, k] = mse
            k += 1
        going = mse > hyper.tol and mse <= hyper.bound and mse < np.inf and t < hyper.max_steps
        if not going:
            return t, True, mse, _test_mse(size, data, space)
        if t >= until:
            return t, False, mse, np.nan
        if hyper.dropout:
            _drop(size, hyper, t, space)
        slope = 0.0
        for i in range(n):
            space.outputs[i] = (space.outputs[i] - data.y[i]) * (2.0 / n)
            slope += space.outputs[i]
        space.outputs[n : tiles * TILE] = 0.0
        rates = rates_at(hyper, t)
        _backward(size, hyper, rates, data.x, space)
        if size.output_bias:
            move(hyper, rates, space, theta.size - LANES, splat(slope))
        t += 1


def _entry(digest: str) -> Callable[..., Any]:
    """:func:`_descend` as Numba's cache must see it; see :func:`kept_on_disk`."""

    def descend(
        size: Sizes,
        hyper: Hyperparameters,
        data: Data,
        space: Workspace,
        grid: np.ndarray,
        recorded: np.ndarray,
        t: int,
        until: int,
    ) -> tuple[int, bool, float, float]:
        _ = digest
        return _descend(size, hyper, data, space, grid, recorded, t, until)

    return descend


SOURCES = [Path(__file__), Path(_descent_rule.__file__), *simd.SOURCES]
"""Every file that is compiled into :func:`descend`."""

descend = kept_on_disk(_entry, SOURCES, KERNEL)
