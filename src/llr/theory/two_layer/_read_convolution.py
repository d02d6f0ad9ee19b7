"""Two-layer convolutional networks written as ``nn.Sequential``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import UnsupportedModuleError
from llr.models import LocallyConnected1D, LocallyConnected2D, activation_of
from llr.theory.arithmetic import Integers, exact_array
from llr.theory.two_layer._hidden_units import PADDING, HiddenUnits, TwoLayerNetwork
from llr.theory.two_layer._parts import layer_parameters, tied_parts, trainable_parts

__all__ = ["read_convolution"]


@dataclass(frozen=True)
class _Convolution:
    """The hidden layer of a convolutional network.

    Attributes:
        windows: (P, s), the input coordinates that each position sees, ``PADDING`` outside.
        input_size: number of input coordinates.
        channels: C.
        shared: whether one kernel serves all positions.
    """

    windows: Integers
    input_size: int
    channels: int
    shared: bool


def read_convolution(model: nn.Module, values: Parameters) -> TwoLayerNetwork | None:
    """A network of a convolution, an activation, ``nn.Flatten`` and ``nn.Linear``.

    Before the convolution there may be an ``nn.Unflatten``, which states the shape of its input.
    """
    if type(model) is not nn.Sequential:
        return None
    layers = list(model.named_children())
    shape = None
    if layers and type(layers[0][1]) is nn.Unflatten:
        shape = tuple(layers[0][1].unflattened_size)
        layers = layers[1:]
    if len(layers) != 4 or type(layers[2][1]) is not nn.Flatten:
        return None
    (hidden_name, hidden), (_, middle), (_, flatten), (output_name, output) = layers
    row = activation_of(middle)
    if row is None or type(output) is not nn.Linear or flatten.start_dim != 1:
        return None
    convolution = _convolution(hidden, output.in_features, shape)
    found = layer_parameters(model, values, hidden_name, output_name) if convolution else None
    if convolution is None or found is None:
        return None
    exact = {part: exact_array(name, values[name]) for part, name in found.items()}
    return TwoLayerNetwork(
        units=_units(convolution, exact),
        input_size=convolution.input_size,
        hidden_bias="kernel_bias" in exact,
        output_bias=exact.get("output_bias"),
        trainable=trainable_parts(model, found),
        activation=row.name,
        tied=tied_parts(found),
    )


def _units(convolution: _Convolution, exact: dict[str, np.ndarray]) -> HiddenUnits:
    """The hidden units, channel by channel, position by position."""
    c, (p, s) = convolution.channels, convolution.windows.shape
    kernels = exact["kernels"].reshape(c, 1 if convolution.shared else p, s)
    order = np.argsort(convolution.windows, axis=1, kind="stable")
    coordinates = np.tile(np.take_along_axis(convolution.windows, order, axis=1), (c, 1))
    slots = np.tile(order, (c, 1))
    per_unit = np.broadcast_to(kernels, (c, p, s)).reshape(c * p, s)
    weights = np.take_along_axis(per_unit, slots, axis=1)
    bias = exact.get("kernel_bias", np.zeros((c, 1))).reshape(c, -1)
    return HiddenUnits(
        channel=np.arange(c * p) // p,
        kernel=np.arange(c * p) // p if convolution.shared else np.arange(c * p),
        coordinates=coordinates,
        weights=np.where(coordinates == PADDING, 0.0, weights),
        slots=slots,
        bias=np.broadcast_to(bias, (c, p)).reshape(c * p),
        output=exact["output"].T,
    )


def _convolution(
    layer: nn.Module, n_features: int, shape: tuple[int, ...] | None
) -> _Convolution | None:
    """The windows of a convolutional layer with so many outputs."""
    if isinstance(layer, (LocallyConnected1D, LocallyConnected2D)):
        size = (layer.in_channels, *[layer.input_dim] * layer.n_axes)
        kernel, stride = (layer.kernel_size,) * layer.n_axes, (layer.stride,) * layer.n_axes
        windows, count = _windows(size, kernel, stride, (0,) * layer.n_axes, (1,) * layer.n_axes)
        return _Convolution(windows, count, layer.out_channels, shared=False)
    if type(layer) not in (nn.Conv1d, nn.Conv2d) or not isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        return None
    if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return None
    kernel, stride = tuple(layer.kernel_size), tuple(layer.stride)
    padding, dilation = tuple(layer.padding), tuple(layer.dilation)
    size = shape
    if size is None:
        positions = _positions(n_features // layer.out_channels, len(kernel))
        size = (
            layer.in_channels,
            *(
                (p - 1) * step + spread * (k - 1) + 1 - 2 * pad
                for p, k, step, pad, spread in zip(
                    positions, kernel, stride, padding, dilation, strict=True
                )
            ),
        )
    if min(size) < 1:
        return None
    windows, count = _windows(size, kernel, stride, padding, dilation)
    return _Convolution(windows, count, layer.out_channels, shared=True)


def _positions(count: int, n_axes: int) -> tuple[int, ...]:
    """Positions along each axis, square where there are two."""
    if n_axes == 1:
        return (count,)
    side = math.isqrt(count)
    if side * side != count:
        raise UnsupportedModuleError(
            f"the shape of the input must be known, got {count} positions of a 2-d convolution, "
            "which are not a square. Put nn.Unflatten(1, (channels, height, width)) before it."
        )
    return side, side


def _windows(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Integers, int]:
    """Input coordinates (P, s) of every position, slots in the order of the kernel's weights."""
    count = math.prod(size)
    index: Tensor = torch.arange(count).reshape(size)
    around = [pad for step in reversed(padding) for pad in (step, step)]
    index = nn.functional.pad(index, around, value=PADDING)
    for axis, (k, step, spread) in enumerate(zip(kernel, stride, dilation, strict=True)):
        index = index.unfold(1 + axis, spread * (k - 1) + 1, step)[..., ::spread]
    n_axes = len(kernel)
    order = (*range(1, 1 + n_axes), 0, *range(1 + n_axes, 1 + 2 * n_axes))
    slots = size[0] * math.prod(kernel)
    return index.permute(order).reshape(-1, slots).numpy(), count
