"""A layered network as the table that the compiled kernel walks, and its parameters as panels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from llr.models import Layer, LayeredNetwork
from llr.training.compiled._activation_kernels import CODES
from llr.training.compiled._layer_kernels import LAYER, POOL, PRODUCT, READOUT, Table
from llr.training.simd import LANES

__all__ = ["MOST_READOUTS", "LayerTable", "blocks_of"]

MOST_READOUTS = 4
"""Up to this many outputs are sums over lanes; more are lanes themselves."""


def blocks_of(channels: int) -> int:
    """Blocks of eight channels."""
    return -(-channels // LANES)


class LayerTable:
    """The table of a network.

    Args:
        network: the layers.
        shapes: of the parameters, by name.
        rows: samples that the arrays of values hold, a multiple of four.
    """

    def __init__(
        self, network: LayeredNetwork, shapes: Mapping[str, tuple[int, ...]], rows: int
    ) -> None:
        self.network, self.shapes = network, shapes
        self.kinds = [self._kind(l) for l in range(len(network.layers))]
        self._offsets: list[int] = []
        self._links: list[int] = []
        self._divisors: list[float] = []
        self.n_theta = self.n_back = self.n_values = self.n_units = 0
        self._output_at = 0  # of the layer filled last
        layers = np.zeros(len(network.layers), dtype=LAYER)
        present = np.zeros((len(network.layers), LANES))
        for l in range(len(network.layers)):
            self._fill(layers[l : l + 1], l, rows)
            last = (network.layers[l].channels_in - 1) % LANES + 1
            present[l, :last] = 1.0
        self.layers = layers
        self.present = present.reshape(-1)

    def table(self, dtype: np.dtype) -> Table:
        """The table for arrays of a dtype."""
        return Table(
            layers=self.layers,
            offsets=np.array(self._offsets),
            links=np.array(self._links),
            divisors=np.array(self._divisors),
            present=self.present.astype(dtype),
        )

    @property
    def cost(self) -> int:
        """Multiplications for one sample, about."""
        total = 0
        for layer in self.network.layers:
            fan_out = 1 if layer.weight is None else layer.channels
            total += int((layer.seen >= 0).sum()) * layer.channels_in * fan_out
        return total

    def _kind(self, l: int) -> int:
        """Product, readout or pool."""
        layer = self.network.layers[l]
        if layer.weight is None:
            return POOL
        few = layer.positions == 1 and layer.shared and layer.channels <= MOST_READOUTS
        last = l == len(self.network.layers) - 1
        return READOUT if last and few else PRODUCT

    def _fill(self, row: np.ndarray, l: int, rows: int) -> None:
        """One row of the table."""
        layer, kind = self.network.layers[l], self.kinds[l]
        positions, taps = layer.seen.shape
        blocks, blocks_in = blocks_of(layer.channels), blocks_of(layer.channels_in)
        slots = taps if layer.shared else positions * taps
        row["kind"] = kind
        row["activation"] = -1 if layer.activation == "identity" else CODES[layer.activation]
        row["channels_in"], row["positions_in"] = layer.channels_in, layer.positions_in
        row["channels"], row["positions"], row["slots"] = layer.channels, positions, slots
        row["input"] = self._output_at
        row["output"] = self.n_values
        self._output_at = self.n_values
        self.n_values += blocks * positions * rows * LANES
        row["unit"] = -1
        if layer.activation != "identity" and l < len(self.network.layers) - 1:
            row["unit"] = self.n_units
            self.n_units += layer.channels * positions
        row["weights"], row["bias"] = self.n_theta, -1
        if kind == PRODUCT:
            self.n_theta += blocks * slots * blocks_in * LANES * LANES
            row["back"] = self.n_back
            self.n_back += blocks * slots * blocks_in * LANES * LANES if l > 0 else 0
        elif kind == READOUT:
            self.n_theta += blocks_in * slots * layer.channels * LANES
        if layer.bias is not None:
            own = not layer.shared
            row["bias"], row["bias_step"] = self.n_theta, LANES if own else 0
            row["bias_block"] = (positions if own else 1) * LANES
            self.n_theta += blocks * (positions if own else 1) * LANES
        row["seen"], row["seeing"], row["using"] = self._wire(layer, slots)
        row["divisor"] = len(self._divisors)
        self._divisors.extend(layer.divisor.tolist())

    def _wire(self, layer: Layer, slots: int) -> tuple[int, int, int]:
        """Lists of links: by output position, by input position, by slot."""
        positions, taps = layer.seen.shape
        by_output: list[list[tuple[int, int]]] = [[] for _ in range(positions)]
        by_input: list[list[tuple[int, int]]] = [[] for _ in range(layer.positions_in)]
        by_slot: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
        for p in range(positions):
            for t in range(taps):
                q = int(layer.seen[p, t])
                if q < 0:
                    continue
                slot = t if layer.shared else p * taps + t
                by_output[p].append((q, slot))
                by_input[q].append((p, slot))
                by_slot[slot].append((p, q))
        return self._listed(by_output), self._listed(by_input), self._listed(by_slot)

    def _listed(self, groups: Sequence[Sequence[tuple[int, int]]]) -> int:
        """Append lists of links; where their offsets begin. Offsets count links from the start."""
        at = len(self._offsets)
        self._offsets.append(len(self._links) // 2)
        for group in groups:
            for pair in group:
                self._links.extend(pair)
            self._offsets.append(len(self._links) // 2)
        return at

    def pack(self, params: Mapping[str, np.ndarray], theta: np.ndarray) -> None:
        """Write parameters by name to theta, which is zero."""
        for l, layer in enumerate(self.network.layers):
            if layer.weight is not None:
                weights = self._canonical(l, params[layer.weight])
                self._weights(l, theta)[...] = self._padded(l, weights)
            if layer.bias is not None:
                values = params[layer.bias].reshape(layer.channels, -1)
                padding = [(0, -layer.channels % LANES), (0, 0)]
                biases = np.pad(values, padding).reshape(-1, LANES, values.shape[1])
                self._biases(l, theta)[...] = biases.transpose(0, 2, 1)

    def unpack(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """Copies of the parameters by name, in the order of ``shapes``."""
        params: dict[str, np.ndarray] = {}
        for l, layer in enumerate(self.network.layers):
            if layer.weight is not None:
                params[layer.weight] = self._named(l, self._weights(l, theta))
            if layer.bias is not None:
                biases = self._biases(l, theta).transpose(0, 2, 1)
                biases = biases.reshape(-1, biases.shape[2])[: layer.channels]
                params[layer.bias] = biases.reshape(self.shapes[layer.bias])
        return {name: np.array(params[name], order="C") for name in self.shapes}

    def _canonical(self, l: int, weight: np.ndarray) -> np.ndarray:
        """Weights (O, C, S) of a parameter, S counting slots."""
        layer = self.network.layers[l]
        taps = layer.seen.shape[1]
        if layer.shared:
            return weight.reshape(layer.channels, layer.channels_in, taps)
        each = weight.reshape(layer.channels, layer.positions, layer.channels_in, taps)
        return each.transpose(0, 2, 1, 3).reshape(layer.channels, layer.channels_in, -1)

    def _weights(self, l: int, theta: np.ndarray) -> np.ndarray:
        """The panels of a layer as a view of theta."""
        layer, row = self.network.layers[l], self.layers[l]
        blocks_in, slots = blocks_of(layer.channels_in), int(row["slots"])
        if self.kinds[l] == READOUT:
            shape = (blocks_in, slots, layer.channels, LANES)
        else:
            shape = (blocks_of(layer.channels), slots, blocks_in * LANES, LANES)
        start = int(row["weights"])
        return theta[start : start + math.prod(shape)].reshape(shape)

    def _biases(self, l: int, theta: np.ndarray) -> np.ndarray:
        """The biases of a layer, (blocks, 1 or P, 8), as a view of theta."""
        layer, row = self.network.layers[l], self.layers[l]
        shape = (blocks_of(layer.channels), int(row["bias_block"]) // LANES, LANES)
        start = int(row["bias"])
        return theta[start : start + math.prod(shape)].reshape(shape)

    def _padded(self, l: int, weights: np.ndarray) -> np.ndarray:
        """Panels from weights (O, C, S)."""
        o, c, s = weights.shape
        more = 0 if self.kinds[l] == READOUT else -o % LANES
        weights = np.pad(weights, [(0, more), (0, -c % LANES), (0, 0)])
        if self.kinds[l] == READOUT:
            return weights.reshape(o, -1, LANES, s).transpose(1, 3, 0, 2)
        return weights.reshape(-1, LANES, weights.shape[1], s).transpose(0, 3, 2, 1)

    def _named(self, l: int, panels: np.ndarray) -> np.ndarray:
        """A parameter from panels."""
        layer = self.network.layers[l]
        slots = panels.shape[1]
        if self.kinds[l] == READOUT:
            weights = panels.transpose(2, 0, 3, 1).reshape(layer.channels, -1, slots)
        else:
            weights = panels.transpose(0, 3, 2, 1).reshape(-1, panels.shape[2], slots)
        weights = weights[: layer.channels, : layer.channels_in]
        if not layer.shared:
            taps = layer.seen.shape[1]
            split = weights.reshape(layer.channels, layer.channels_in, -1, taps)
            weights = split.transpose(0, 2, 1, 3)
        assert layer.weight is not None
        return weights.reshape(self.shapes[layer.weight])
