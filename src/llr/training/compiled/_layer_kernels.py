"""Descent of one run of any layered network, compiled: forward, backward and step, layer by layer.

One kernel serves every architecture: the layers are rows of a table that the kernel walks. In the
arrays ``values`` and ``slopes`` each layer has its outputs and the derivatives of its activation;
on the way back the latter become the derivatives of the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from llr.training import simd
from llr.training._disk_cache import INLINE, INNER, KERNEL, kept_on_disk
from llr.training.compiled._activation_kernels import activate
from llr.training.compiled._descent_rule import Hyperparameters, Rates, move, rates_at
from llr.training.compiled._layer_products import (
    TILE,
    Panels,
    Values,
    multiply_block,
    read_out,
    sum_rows,
    update_panels,
    update_readout,
)
from llr.training.simd import (
    LANES,
    as_dtype,
    keep_lanes,
    lane_sum,
    load,
    multiply_add,
    splat_of,
    splitmix64,
    store,
    transpose,
)

__all__ = [
    "LAYER",
    "POOL",
    "PRODUCT",
    "READOUT",
    "SOURCES",
    "Data",
    "Table",
    "Workspace",
    "descend",
]

PRODUCT, READOUT, POOL = range(3)
"""Kinds of layers: with weights; with weights and few outputs; average pooling."""

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            "kind",
            "activation",  # its code; -1: none
            "channels_in",
            "positions_in",
            "channels",
            "positions",
            "slots",
            "input",  # where the inputs begin in values
            "output",  # where the outputs begin in values and slopes
            "weights",  # where the panels begin in theta
            "bias",  # where the biases begin in theta; -1: none
            "bias_step",  # from one position to the next, 0 where they share
            "bias_block",  # from one block to the next
            "back",  # where the transposed panels begin in back
            "seen",  # where offsets of the links of output positions begin
            "seeing",  # likewise of the links of input positions
            "using",  # likewise of the pairs of each slot
            "divisor",  # where the divisors of pooling begin
            "unit",  # number of the first unit for dropout; -1: none
        )
    ]
)
"""A row of the table of layers."""


class Table(NamedTuple):
    """The architecture."""

    layers: np.ndarray  # (L,) of LAYER
    offsets: np.ndarray
    links: np.ndarray
    divisors: np.ndarray
    present: np.ndarray  # (L, 8) flat: 1 at lanes of the last block of each layer's inputs, else 0


class Data(NamedTuple):
    """Inputs as values of a layer, outputs likewise, and 1 at each output of a sample, else 0."""

    n: int
    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    n_test: int
    x_test: np.ndarray
    y_test: np.ndarray
    mask_test: np.ndarray


class Workspace(NamedTuple):
    """Arrays that every step reads and writes, flat; ``rows`` is how many samples they hold."""

    rows: int
    theta: np.ndarray
    first: np.ndarray  # Adam's moments, or a velocity, in the layout of theta
    second: np.ndarray
    back: np.ndarray  # panels that multiply on the way back
    values: np.ndarray
    slopes: np.ndarray


@njit(**INLINE)
def _blocks(channels: int) -> int:
    """Blocks of eight channels."""
    return (channels + LANES - 1) // LANES


@njit(**INLINE)
def _panels(layer: Any) -> Panels:
    """The weights of a layer in theta."""
    if layer.kind == READOUT:
        return Panels(layer.weights, layer.slots, layer.channels)
    return Panels(layer.weights, layer.slots, _blocks(layer.channels_in) * LANES)


@njit(**INLINE)
def _inputs(layer: Any, rows: int) -> Values:
    """The inputs of a layer."""
    return Values(layer.input, layer.channels_in, layer.positions_in, rows)


@njit(**INLINE)
def _outputs(layer: Any, rows: int) -> Values:
    """The outputs of a layer."""
    return Values(layer.output, layer.channels, layer.positions, rows)


@njit(**INNER)
def _pool(
    layer: Any, table: Table, x: np.ndarray, source: Values, out: np.ndarray, rows: int, tiles: int
) -> None:
    """Averages over windows."""
    offsets = table.offsets[layer.seen :]
    for b in range(_blocks(layer.channels)):
        for p in range(layer.positions):
            factor = splat_of(out, 1.0 / table.divisors[layer.divisor + p])
            at = layer.output + (b * layer.positions + p) * rows * LANES
            for i in range(tiles * TILE):
                total = splat_of(out, 0.0)
                for j in range(offsets[p], offsets[p + 1]):
                    q = b * source.positions + table.links[2 * j]
                    total = total + load(x, source.at + (q * source.rows + i) * LANES)
                store(out, at + i * LANES, total * factor)


@njit(**INNER)
def _pool_back(
    layer: Any, table: Table, slopes: np.ndarray, scaled: bool, rows: int, tiles: int
) -> None:
    """Derivatives by the inputs of pooling, from those by its outputs."""
    offsets = table.offsets[layer.seeing :]
    for b in range(_blocks(layer.channels)):
        for q in range(layer.positions_in):
            at = layer.input + (b * layer.positions_in + q) * rows * LANES
            for i in range(tiles * TILE):
                total = splat_of(slopes, 0.0)
                for j in range(offsets[q], offsets[q + 1]):
                    p = table.links[2 * j]
                    d = layer.output + ((b * layer.positions + p) * rows + i) * LANES
                    factor = splat_of(slopes, 1.0 / table.divisors[layer.divisor + p])
                    total = multiply_add(factor, load(slopes, d), total)
                if scaled:
                    total = total * load(slopes, at + i * LANES)
                store(slopes, at + i * LANES, total)


@njit(**INNER)
def _drop(layer: Any, hyper: Hyperparameters, t: int, n: int, space: Workspace) -> None:
    """Apply the dropout mask of step t to the outputs of a layer and to their slopes."""
    key = splitmix64(splitmix64(hyper.seed) + t)
    positions = layer.positions
    for i in range(n):
        row_key = splitmix64(key + i)
        for b in range(_blocks(layer.channels)):
            for p in range(positions):
                # units are numbered layer by layer, channel by channel
                unit = layer.unit + b * LANES * positions + p
                at = layer.output + ((b * positions + p) * space.rows + i) * LANES
                mask = as_dtype(
                    space.values,
                    keep_lanes(row_key, unit, positions, hyper.keep_threshold, hyper.keep_factor),
                )
                store(space.values, at, load(space.values, at) * mask)
                store(space.slopes, at, load(space.slopes, at) * mask)


@njit(**INNER)
def _forward(
    table: Table,
    hyper: Hyperparameters,
    x: np.ndarray,
    x_rows: int,
    first_row: int,
    tiles: int,
    step: int,
    n: int,
    space: Workspace,
) -> None:
    """Values and slopes of all layers at some samples of x; dropout as at ``step`` if >= 0."""
    theta, values, slopes, rows = space.theta, space.values, space.slopes, space.rows
    for l in range(table.layers.size):
        layer = table.layers[l]
        source = _inputs(layer, rows)
        inputs = values
        if l == 0:
            inputs = x
            source = Values(first_row * LANES, layer.channels_in, layer.positions_in, x_rows)
        target = _outputs(layer, rows)
        if layer.kind == READOUT:
            read_out(
                theta,
                _panels(layer),
                layer.channels,
                layer.bias,
                inputs,
                source,
                values,
                target,
                tiles,
            )
        elif layer.kind == POOL:
            _pool(layer, table, inputs, source, values, rows, tiles)
        else:
            panels, offsets = _panels(layer), table.offsets[layer.seen :]
            for b in range(_blocks(layer.channels)):
                bias = layer.bias + b * layer.bias_block if layer.bias >= 0 else -1
                multiply_block(
                    theta, panels, b, theta, bias, layer.bias_step, inputs, source,
                    offsets, table.links, values, target, tiles, False,
                )  # fmt: skip
        if layer.activation >= 0:
            for q in range(_blocks(layer.channels) * layer.positions):
                at = layer.output + q * rows * LANES
                activate(layer.activation, values, slopes, at, at + tiles * TILE * LANES)
        if step >= 0 and layer.unit >= 0:
            _drop(layer, hyper, step, n, space)


@njit(**INNER)
def _errors(
    layer: Any, y: np.ndarray, mask: np.ndarray, y_rows: int, first_row: int, tiles: int,
    scale: float, space: Workspace,
) -> float:  # fmt: skip
    """The sum of squared errors; where scale > 0, the derivatives of the loss go to slopes."""
    values, slopes = space.values, space.slopes
    total, factor = splat_of(values, 0.0), splat_of(values, scale)
    for q in range(_blocks(layer.channels) * layer.positions):
        at = layer.output + q * space.rows * LANES
        wanted = (q * y_rows + first_row) * LANES
        for _ in range(tiles * TILE):
            error = (load(values, at) - load(y, wanted)) * load(mask, wanted)
            total = multiply_add(error, error, total)
            if scale > 0.0:
                slope = error * factor
                if layer.activation >= 0:
                    slope = slope * load(slopes, at)
                store(slopes, at, slope)
            at += LANES
            wanted += LANES
    return float(lane_sum(total))


@njit(**INNER)
def refresh_back(layer: Any, space: Workspace) -> None:
    """Write the transposed panels of a layer from its weights."""
    blocks_in, blocks = _blocks(layer.channels_in), _blocks(layer.channels)
    depth = blocks_in * LANES
    for b in range(blocks):
        for slot in range(layer.slots):
            for k in range(blocks_in):
                at = layer.weights + ((b * layer.slots + slot) * depth + k * LANES) * LANES
                to = layer.back + ((k * layer.slots + slot) * blocks + b) * LANES * LANES
                transpose(space.theta, at, LANES, space.back, to, LANES)


@njit(**INNER)
def _back_through(layer: Any, below: Any, table: Table, tiles: int, space: Workspace) -> None:
    """Derivatives of the loss by the pre-activations of the layer below."""
    slopes, rows = space.slopes, space.rows
    scaled = below.activation >= 0
    if layer.kind == POOL:
        _pool_back(layer, table, slopes, scaled, rows, tiles)
        return
    weights, panels = space.theta, _panels(layer)
    if layer.kind == PRODUCT:
        weights = space.back
        panels = Panels(layer.back, layer.slots, _blocks(layer.channels) * LANES)
    source, target = _outputs(layer, rows), _inputs(layer, rows)
    offsets = table.offsets[layer.seeing :]
    for b in range(_blocks(layer.channels_in)):
        multiply_block(
            weights, panels, b, weights, -1, 0, slopes, source, offsets, table.links, slopes,
            target, tiles, scaled,
        )  # fmt: skip


@njit(**INNER)
def _update(
    l: int, table: Table, hyper: Hyperparameters, rates: Rates, x: np.ndarray, source: Values,
    tiles: int, space: Workspace,
) -> None:  # fmt: skip
    """One step of the weights and biases of a layer."""
    layer, rows = table.layers[l], space.rows
    target, panels = _outputs(layer, rows), _panels(layer)
    offsets = table.offsets[layer.using :]
    if layer.kind == READOUT:
        update_readout(
            hyper, rates, space, panels, layer.channels, target, x, source,
            table.present[l * LANES :], tiles,
        )  # fmt: skip
    for b in range(_blocks(layer.channels)):
        if layer.kind == PRODUCT:
            update_panels(
                hyper, rates, space, panels, b, target, x, source,
                offsets, table.links, tiles,
            )  # fmt: skip
        if layer.bias < 0:
            continue
        total = splat_of(space.theta, 0.0)
        for p in range(layer.positions):
            at = layer.output + (b * layer.positions + p) * rows * LANES
            total = total + sum_rows(space.slopes, at, tiles)
            place = layer.bias + b * layer.bias_block + p * layer.bias_step
            if layer.bias_step > 0:
                move(hyper, rates, space, place, total)
                total = splat_of(space.theta, 0.0)
        if layer.bias_step == 0:
            move(hyper, rates, space, layer.bias + b * layer.bias_block, total)
    if layer.kind == PRODUCT and l > 0:
        refresh_back(layer, space)


@njit(**INNER)
def _test_mse(table: Table, hyper: Hyperparameters, data: Data, space: Workspace) -> float:
    """Test MSE, as many samples at once as the arrays hold."""
    last = table.layers[table.layers.size - 1]
    total_tiles, loss = (data.n_test + TILE - 1) // TILE, 0.0
    rows = total_tiles * TILE
    for start in range(0, total_tiles, space.rows // TILE):
        tiles = min(space.rows // TILE, total_tiles - start)
        _forward(table, hyper, data.x_test, rows, start * TILE, tiles, -1, 0, space)
        loss += _errors(last, data.y_test, data.mask_test, rows, start * TILE, tiles, 0.0, space)
    return loss / (data.n_test * last.channels * last.positions)


@njit(inline="always", **INNER)
def _descend(
    table: Table,
    hyper: Hyperparameters,
    data: Data,
    space: Workspace,
    grid: np.ndarray,
    recorded: np.ndarray,
    t: int,
    until: int,
) -> tuple[int, bool, float, float]:
    """From step t to the end of the run, or to step ``until`` if that comes first.

    Args:
        table: the architecture.
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
    layers = table.layers
    last = layers[layers.size - 1]
    tiles = (data.n + TILE - 1) // TILE
    rows, count = tiles * TILE, float(data.n * last.channels * last.positions)
    k = np.searchsorted(grid, t)
    if t == 0:
        for l in range(1, layers.size):
            if layers[l].kind == PRODUCT:
                refresh_back(layers[l], space)
    while True:
        record = grid[k] == t
        if record:
            recorded[1, k] = _test_mse(table, hyper, data, space)
        for dropped in range(2 if hyper.dropout else 1):  # losses are reported without dropout
            step = t if dropped else -1
            scale = 2.0 / count if dropped or not hyper.dropout else 0.0
            _forward(table, hyper, data.x, rows, 0, tiles, step, data.n, space)
            loss = _errors(last, data.y, data.mask, rows, 0, tiles, scale, space)
            if dropped:
                break
            mse = loss / count
            if record:
                recorded[0, k] = mse
                k += 1
            going = mse > hyper.tol and mse <= hyper.bound and mse < np.inf and t < hyper.max_steps
            if not going:
                return t, True, mse, _test_mse(table, hyper, data, space)
            if t >= until:
                return t, False, mse, np.nan
        rates = rates_at(hyper, t)
        for l in range(layers.size - 1, -1, -1):
            layer = layers[l]
            if l > 0:
                _back_through(layer, layers[l - 1], table, tiles, space)
            if layer.kind == POOL:
                continue
            source = Values(0, layer.channels_in, layer.positions_in, rows)
            if l > 0:
                source = _inputs(layer, space.rows)
            x = data.x if l == 0 else space.values
            _update(l, table, hyper, rates, x, source, tiles, space)
        t += 1


def _entry(digest: str) -> Callable[..., tuple[int, bool, float, float]]:
    """:func:`_descend` as Numba's cache must see it; see :func:`kept_on_disk`."""

    def descend(
        table: Table,
        hyper: Hyperparameters,
        data: Data,
        space: Workspace,
        grid: np.ndarray,
        recorded: np.ndarray,
        t: int,
        until: int,
    ) -> tuple[int, bool, float, float]:
        _ = digest
        return _descend(table, hyper, data, space, grid, recorded, t, until)

    return descend


SOURCES = [
    *(
        Path(__file__).with_name(name)
        for name in (
            "_activation_kernels.py",
            "_descent_rule.py",
            "_layer_kernels.py",
            "_layer_products.py",
        )
    ),
    *simd.SOURCES,
]
"""Every file that is compiled into :func:`descend`."""

descend = kept_on_disk(_entry, SOURCES, KERNEL)
