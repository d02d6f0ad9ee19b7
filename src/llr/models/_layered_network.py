"""Networks as lists of layers: what each output position sees, and which parameters it uses.

A value of a layer has a channel and a position. A fully connected layer has one position;
flattening changes neither, because PyTorch flattens channel by channel. So every layer with weights
is

    z[o, p] = sum over taps t of sum_i w[o, slot(p, t), i] h[i, seen(p, t)] + b[o, p or 0],

where a linear layer after a convolution has one position that sees all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from torch import nn

from llr.models._activations import Pointwise, activation_of
from llr.models._fully_connected import MLP
from llr.models._locally_connected import LocallyConnected1D, LocallyConnected2D
from llr.models._two_layer import AbstractTwoLayer

__all__ = ["Layer", "LayeredNetwork", "layered_network"]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer with weights, or one average pooling, and the activation that follows it.

    Attributes:
        weight: name of the weights; None: average pooling, which has none.
        bias: name of the biases, or None.
        seen: (P, T) the input position that each output position sees at each tap; -1: none
            (padding).
        channels_in: C, of the input.
        positions_in: of the input.
        channels: O, of the output.
        shared: whether all positions use the same weights: ``weight`` reshapes to (O, C, T) then
            and to (O, P, C, T) otherwise, ``bias`` to (O,) or (O, P).
        divisor: (P,) what pooling divides each sum by.
        activation: name of the activation, a row of ``ACTIVATIONS``.
    """

    weight: str | None
    bias: str | None
    seen: np.ndarray
    channels_in: int
    positions_in: int
    channels: int
    shared: bool
    divisor: np.ndarray
    activation: str = "identity"

    @property
    def positions(self) -> int:
        """P, of the output."""
        return len(self.seen)


@dataclass(frozen=True, eq=False)
class LayeredNetwork:
    """A network as a list of layers.

    Attributes:
        inputs: (C, positions) index into the flattened input, the first layer's input.
        layers: at least one with weights.
    """

    inputs: np.ndarray
    layers: tuple[Layer, ...]

    @property
    def n_outputs(self) -> int:
        """Channels times positions of the last layer."""
        return self.layers[-1].channels * self.layers[-1].positions


class _NotLayeredError(Exception):
    """The module is not a chain of known layers."""


class _AddChannel(nn.Module):
    """Stands for ``x.unsqueeze(1)``."""


def layered_network(module: nn.Module, input_shape: tuple[int, ...]) -> LayeredNetwork | None:
    """The layers of a network, or None if it is not a chain of known layers.

    Args:
        module: an ``nn.Sequential``, nested or not, of Linear, Conv1d, Conv2d, locally connected
            layers, average pooling, Flatten, Unflatten of the input, and activations of
            ``ACTIVATIONS``; or a network of ``llr.models`` made of these.
        input_shape: shape of one input.

    Returns:
        The layers.

    Example:
        >>> module = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> network = layered_network(module, (5,))
        >>> [(layer.channels, layer.activation) for layer in network.layers]
        [(3, 'relu'), (1, 'identity')]
    """
    reader = _Reader(np.arange(math.prod(input_shape)).reshape(input_shape))
    try:
        for prefix, part in _parts(module):
            reader.read(prefix, part)
    except _NotLayeredError:
        return None
    names = [n for layer in reader.layers for n in (layer.weight, layer.bias) if n is not None]
    if not names or sorted(names) != sorted(name for name, _ in module.named_parameters()):
        return None  # no parameters, or some that are used twice or not at all
    if reader.spatial:
        return None  # outputs with more than one axis
    return LayeredNetwork(reader.index, tuple(reader.layers))


def _parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers in order, each with the prefix of its parameters' names."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise _NotLayeredError
    if type(module) is nn.Sequential:
        for name, part in module._modules.items():  # named_children leaves out repetitions
            assert part is not None
            yield from _parts(part, f"{prefix}{name}.")
    elif type(module) is MLP:
        for l, layer in enumerate(module.layers):
            yield f"{prefix}layers.{l}.", layer
            if l < len(module.layers) - 1:
                yield "", Pointwise(module.activation)
    elif getattr(type(module), "forward", None) is AbstractTwoLayer.forward:
        assert isinstance(module, AbstractTwoLayer)
        if not isinstance(module.hidden, nn.Linear):
            yield "", _AddChannel()
        yield f"{prefix}hidden.", module.hidden
        yield "", Pointwise(module.activation)
        if not isinstance(module.hidden, nn.Linear):
            yield "", nn.Flatten()
        yield f"{prefix}output.", module.output
    else:
        yield prefix, module


_Convolution: TypeAlias = nn.Conv1d | nn.Conv2d | LocallyConnected1D | LocallyConnected2D

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)


class _Reader:
    """A walk through a network: the layers so far, and the shape of what they compute.

    Before the first layer ``index`` says which input coordinate stands where. After it the values
    have ``channels`` channels and ``spatial`` axes; where these are (), all positions count as one
    axis together with the channels, as after Flatten.
    """

    def __init__(self, index: np.ndarray) -> None:
        self.index, self.layers = index, list[Layer]()
        self.channels, self.positions, self.spatial = 0, 1, ()

    def read(self, prefix: str, module: nn.Module) -> None:
        """Go through one module."""
        kind = type(module)
        if isinstance(module, nn.Linear) and kind is nn.Linear:
            self._linear(prefix, module)
        elif isinstance(module, nn.Conv1d | nn.Conv2d) and kind in (nn.Conv1d, nn.Conv2d):
            self._convolution(prefix, module)
        elif isinstance(module, LocallyConnected1D | LocallyConnected2D):
            self._locally_connected(prefix, module)
        elif isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
            self._average(module)
        elif isinstance(module, nn.Flatten):
            self._flatten(module)
        elif isinstance(module, nn.Unflatten | _AddChannel):
            self._unflatten(module)
        elif not (kind is nn.Identity or (kind in _DROPOUT and not module.training)):
            self._activation(module)

    def _axes(self) -> tuple[int, tuple[int, ...]]:
        """Channels and spatial axes, as a convolution wants them."""
        if not self.layers:
            if self.index.ndim < 2:
                raise _NotLayeredError
            return self.index.shape[0], self.index.shape[1:]
        if not self.spatial:
            raise _NotLayeredError
        return self.channels, self.spatial

    def _add(self, layer: Layer, spatial: tuple[int, ...]) -> None:
        self.layers.append(layer)
        self.channels, self.positions, self.spatial = layer.channels, layer.positions, spatial

    def _linear(self, prefix: str, module: nn.Linear) -> None:
        """One position that sees all."""
        if not self.layers:
            if self.index.ndim != 1:
                raise _NotLayeredError
            self.index = self.index[:, None]
            channels, positions = len(self.index), 1
        elif self.spatial:
            raise _NotLayeredError
        else:
            channels, positions = self.channels, self.positions
        if channels * positions != module.in_features:
            raise _NotLayeredError
        layer = Layer(
            weight=f"{prefix}weight",
            bias=None if module.bias is None else f"{prefix}bias",
            seen=np.arange(positions)[None],
            channels_in=channels,
            positions_in=positions,
            channels=module.out_features,
            shared=True,
            divisor=np.ones(1),
        )
        self._add(layer, ())

    def _product(
        self, prefix: str, module: _Convolution, spatial: tuple[int, ...], seen: np.ndarray
    ) -> None:
        """A convolution, shared or not. The first layer sees patches of the input."""
        channels, axes = self._axes()
        if channels != module.in_channels:
            raise _NotLayeredError
        positions_in = math.prod(axes)
        if not self.layers:
            flat = self.index.reshape(channels, -1)
            patches = np.where(seen >= 0, flat[:, seen], -1)  # (C, P, T)
            self.index = patches.transpose(0, 2, 1).reshape(-1, len(seen))
            channels, positions_in = self.index.shape
            seen = np.arange(len(seen))[:, None]
        layer = Layer(
            weight=f"{prefix}weight",
            bias=None if module.bias is None else f"{prefix}bias",
            seen=seen,
            channels_in=channels,
            positions_in=positions_in,
            channels=module.out_channels,
            shared=isinstance(module, nn.Conv1d | nn.Conv2d),
            divisor=np.ones(len(seen)),
        )
        self._add(layer, spatial)

    def _convolution(self, prefix: str, module: nn.Conv1d | nn.Conv2d) -> None:
        if module.groups != 1 or module.padding_mode != "zeros":
            raise _NotLayeredError
        _, axes = self._axes()
        kernel, dilation = module.kernel_size, module.dilation
        if module.padding == "same":
            total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            padding = [(t // 2, t - t // 2) for t in total]
        elif isinstance(module.padding, str):
            padding = [(0, 0)] * len(kernel)
        else:
            padding = [(p, p) for p in module.padding]
        if len(axes) != len(kernel):
            raise _NotLayeredError
        spatial, seen = _windows(axes, kernel, tuple(module.stride), padding, dilation)
        self._product(prefix, module, spatial, seen)

    def _locally_connected(
        self, prefix: str, module: LocallyConnected1D | LocallyConnected2D
    ) -> None:
        _, axes = self._axes()
        if axes != (module.input_dim,) * module.n_axes:
            raise _NotLayeredError
        n = module.n_axes
        kernel, stride = (module.kernel_size,) * n, (module.stride,) * n
        spatial, seen = _windows(axes, kernel, stride, [(0, 0)] * n, (1,) * n)
        self._product(prefix, module, spatial, seen)

    def _average(self, module: nn.AvgPool1d | nn.AvgPool2d) -> None:
        channels, axes = self._axes()
        n = 1 if isinstance(module, nn.AvgPool1d) else 2
        if module.ceil_mode or getattr(module, "divisor_override", None) or len(axes) != n:
            raise _NotLayeredError
        kernel, stride, margin = (
            tuple(value) if isinstance(value, tuple) else (value,) * n
            for value in (module.kernel_size, module.stride, module.padding)
        )
        padding = [(p, p) for p in margin]
        spatial, seen = _windows(axes, kernel, stride, padding, (1,) * n)
        counted = np.array(len(seen.T)) if module.count_include_pad else (seen >= 0).sum(1)
        self._pool(seen, np.broadcast_to(counted, len(seen)).astype(float), channels, spatial)

    def _pool(
        self, seen: np.ndarray, divisor: np.ndarray, channels: int, spatial: tuple[int, ...]
    ) -> None:
        """A layer without weights."""
        if not self.layers:
            self.index = self.index.reshape(channels, -1)
        positions_in = self.positions if self.layers else self.index.size // channels
        layer = Layer(None, None, seen, channels, positions_in, channels, True, divisor)
        self._add(layer, spatial)

    def _flatten(self, module: nn.Flatten) -> None:
        axes = self.index.ndim if not self.layers else 1 + len(self.spatial)
        if module.start_dim != 1 or module.end_dim not in (-1, axes):
            raise _NotLayeredError
        if self.layers:
            self.spatial = ()
        else:
            self.index = self.index.reshape(-1)

    def _unflatten(self, module: nn.Unflatten | _AddChannel) -> None:
        if self.layers:
            raise _NotLayeredError
        if isinstance(module, _AddChannel):
            self.index = self.index[None]
        elif module.dim == 1:
            axes = [int(size) for size in module.unflattened_size]
            self.index = self.index.reshape(*axes, *self.index.shape[1:])
        else:
            raise _NotLayeredError

    def _activation(self, module: nn.Module) -> None:
        row = activation_of(module)
        if row is None or not self.layers:
            raise _NotLayeredError
        if self.layers[-1].activation != "identity":
            seen = np.arange(self.positions)[:, None]
            self._pool(seen, np.ones(self.positions), self.channels, self.spatial)
        self.layers[-1] = replace(self.layers[-1], activation=row.name)


def _windows(
    axes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: list[tuple[int, int]],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], np.ndarray]:
    """Output axes, and the input position that each output position sees at each tap."""
    rows = []
    for size, k, step, (before, after), gap in zip(
        axes, kernel, stride, padding, dilation, strict=True
    ):
        count = (size + before + after - gap * (k - 1) - 1) // step + 1
        if count < 1:
            raise _NotLayeredError
        at = np.arange(count)[:, None] * step - before + np.arange(k) * gap
        rows.append(np.where((at >= 0) & (at < size), at, -1))
    spatial = tuple(len(row) for row in rows)
    seen = np.zeros((1, 1), dtype=np.int64)
    for size, row in zip(axes, rows, strict=True):  # row by row, the last axis fastest
        pairs = seen[:, None, :, None] * size + row[None, :, None, :]
        known = (seen >= 0)[:, None, :, None] & (row >= 0)[None, :, None, :]
        seen = np.where(known, pairs, -1).reshape(len(seen) * len(row), -1)
    return spatial, seen
