"""Where a forward pass uses its parameters: linear layers, convolutions and normalisation scales.

For such a layer the rows of J need no M-sized object. With positions t, the input a of an affine
layer and the derivative delta of output o of sample i by the layer's output,

    d f_o(x_i) / d W_{uv} = sum_t delta_{(i,o), t, u} a_{i, t, v},

so that a layer's part of J J^T is a sum over pairs of positions of products of two small inner
products. A parameter used several times (reused layers, tied weights) has one such term a use,
which add up in J before anything is squared.

The forward pass is watched at the level of operations, by a ``TorchFunctionMode``: each use is
computed with the parameter detached and a zero "tap" added to its output, whose gradient is delta.
A parameter that still gets a gradient of its own is used in some other way too, and is left to
general means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from llr._types import Parameters

__all__ = ["AbstractUse", "AffineUse", "Recorder"]


@dataclass(frozen=True)
class AbstractUse(ABC):
    """Interface: one use of parameters, at one batch of n samples.

    Attributes:
        weight: name of the weight, if it is one of those watched.
        bias: name of the bias, if it is one of those watched.
        tap: the zero that was added to the layer's output.
        input: the layer's input (scales: the normalised input).
    """

    weight: str | None
    bias: str | None
    tap: Tensor
    input: Tensor

    @abstractmethod
    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Rows of J in the weight's columns, (n, c, size), for delta (n, c, *output shape).

        Only those of the ``channels`` along the weight's first axis; whole groups of them.
        """

    @abstractmethod
    def bias_rows(self, delta: Tensor) -> Tensor:
        """Rows of J in the bias's columns, (n, c, size)."""


@dataclass(frozen=True)
class AffineUse(AbstractUse):
    """out[t, u] = sum_v W[u, v] a[t, v] + b[u], within each of the groups g of channels.

    Attributes:
        groups: number of groups, g.
        patches: the layer's input as a, (n, g, T, in).
        positions: delta (n, c, *output shape) as (n, c, g, T, out).
    """

    groups: int
    patches: Callable[[Tensor], Tensor]
    positions: Callable[[Tensor], Tensor]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """(g, T, out, in): groups, positions, channels of a group out and in."""
        n, g, t, into = self.patches(self.input).shape
        return g, t, self.tap.numel() // (n * g * t), into

    def factors(self, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Delta (n, c, g, T, out) and a (n, g, T, in)."""
        return self.positions(delta), self.patches(self.input)

    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Sum over positions of delta times a."""
        d, a = self.factors(delta)
        if self.groups == 1:
            d = d[..., channels]
        else:
            size = d.shape[-1]
            chosen = slice(channels.start // size, channels.stop // size)
            d, a = d[:, :, chosen], a[:, chosen]
        return torch.einsum("ncgto,ngti->ncgoi", d, a).flatten(2)

    def bias_rows(self, delta: Tensor) -> Tensor:
        """Sum over positions of delta."""
        return self.positions(delta).sum(3).flatten(2)


@dataclass(frozen=True)
class ScaleUse(AbstractUse):
    """out = W * input + b, elementwise, W and b constant along the axes ``shared`` of a sample."""

    shared: tuple[int, ...]

    def weight_rows(self, delta: Tensor, channels: slice) -> Tensor:
        """Sum over the shared axes of delta times the normalised input."""
        return self.bias_rows(delta * self.input[:, None])[..., channels]

    def bias_rows(self, delta: Tensor) -> Tensor:
        """Sum over the shared axes of delta."""
        axes = [axis + 2 for axis in self.shared]
        return (delta.sum(axes) if axes else delta).flatten(2)


class Recorder(TorchFunctionMode):
    """Watches one forward pass and records the uses of the given parameters.

    Args:
        params: the watched parameters, the very tensors that the forward pass receives.
        n: number of samples: inputs that do not lead with it are left alone.

    Attributes:
        uses: the recorded uses, in order.
    """

    def __init__(self, params: Parameters, n: int) -> None:
        super().__init__()
        self._names = {id(value): name for name, value in params.items()}
        self._n = n
        self.uses: list[AbstractUse] = []

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        rule = _RULES.get(func)
        out = None if rule is None else rule(self, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if out is None else out

    def name(self, parameter: Tensor | None) -> str | None:
        """The name of a watched parameter."""
        return None if parameter is None else self._names.get(id(parameter))

    def watches(self, x: Tensor, *parameters: Tensor | None) -> bool:
        """Whether a use of these parameters on this input is to be recorded."""
        return (
            torch.is_grad_enabled()
            and x.dim() > 1
            and x.shape[0] == self._n
            and any(map(self.name, parameters))
        )

    def tapped(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's output plus a zero that takes its gradient, and that zero."""
        tap = out.new_zeros(()).expand(out.shape).requires_grad_()
        return out + tap, tap


MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)


def _detached(recorder: Recorder, parameter: MaybeTensor) -> MaybeTensor:
    """A watched parameter without its gradient; others as they are."""
    return parameter.detach() if parameter is not None and recorder.name(parameter) else parameter


def _record_affine(
    recorder: Recorder,
    out: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    patches: Callable[[Tensor], Tensor],
    positions: Callable[[Tensor], Tensor],
) -> Tensor:
    """Note an affine use, and return its output with the tap."""
    out, tap = recorder.tapped(out)
    names = recorder.name(weight), recorder.name(bias)
    recorder.uses.append(AffineUse(*names, tap, x.detach(), groups, patches, positions))
    return out


def _linear(
    recorder: Recorder, input: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor | None:
    """``F.linear``: the positions are all axes between the first and the last."""
    if not recorder.watches(input, weight, bias):
        return None
    out = F.linear(input, _detached(recorder, weight), _detached(recorder, bias))
    return _record_affine(
        recorder,
        out,
        input,
        weight,
        bias,
        1,
        lambda x: x.reshape(x.shape[0], 1, -1, x.shape[-1]),
        lambda d: d.reshape(*d.shape[:2], 1, -1, d.shape[-1]),
    )


def _same_padding(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...] | None:
    """Zeros on each side under ``padding="same"``; None where the sides differ."""
    total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    return None if any(t % 2 for t in total) else tuple(t // 2 for t in total)


def _convolution(convolve: Callable, axes: int) -> Callable:
    """The rule of ``F.conv1d`` or ``F.conv2d``: the positions are those of the kernel."""

    def spread(value: int | tuple[int, ...]) -> tuple[int, ...]:
        return (value,) * axes if isinstance(value, int) else tuple(value) * (axes // len(value))

    def rule(
        recorder: Recorder,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, ...] = 1,
        padding: str | int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
    ) -> Tensor | None:
        if not recorder.watches(input, weight, bias) or input.dim() != axes + 2:
            return None
        kernel, steps, spacing = tuple(weight.shape[2:]), spread(stride), spread(dilation)
        sides: tuple[int, ...] | None
        if isinstance(padding, str):
            sides = _same_padding(kernel, spacing) if padding == "same" else (0,) * axes
        else:
            sides = spread(padding)
        if sides is None:
            return None
        out = convolve(
            input,
            _detached(recorder, weight),
            _detached(recorder, bias),
            steps,
            sides,
            spacing,
            groups,
        )

        def patches(x: Tensor) -> Tensor:
            flat = axes == 1  # F.unfold knows two axes
            columns = F.unfold(
                x.unsqueeze(2) if flat else x,
                (1, *kernel) if flat else kernel,
                dilation=(1, *spacing) if flat else spacing,
                padding=(0, *sides) if flat else sides,
                stride=(1, *steps) if flat else steps,
            )
            return columns.unflatten(1, (groups, -1)).transpose(2, 3)

        return _record_affine(
            recorder,
            out,
            input,
            weight,
            bias,
            groups,
            patches,
            lambda d: d.flatten(3).unflatten(2, (groups, -1)).transpose(3, 4),
        )

    return rule


def _record_scale(
    recorder: Recorder,
    normalised: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    shape: tuple[int, ...],
    shared: tuple[int, ...],
) -> Tensor:
    """Scale a normalised input, note the use, and return the output with the tap."""
    out = normalised
    for parameter, operation in ((weight, torch.mul), (bias, torch.add)):
        value = _detached(recorder, parameter)
        out = out if value is None else operation(out, value.reshape(shape))
    out, tap = recorder.tapped(out)
    recorder.uses.append(
        ScaleUse(recorder.name(weight), recorder.name(bias), tap, normalised.detach(), shared)
    )
    return out


def _channel_scale(
    recorder: Recorder, normalised: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """A scale for each channel, the first axis of a sample."""
    axes = normalised.dim() - 2
    shape, shared = (-1,) + (1,) * axes, tuple(range(1, axes + 1))
    return _record_scale(recorder, normalised, weight, bias, shape, shared)


def _batch_norm(
    recorder: Recorder,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    """``F.batch_norm`` in eval mode."""
    if training or running_mean is None or not recorder.watches(input, weight, bias):
        return None
    normalised = F.batch_norm(input, running_mean, running_var, None, None, False, momentum, eps)
    return _channel_scale(recorder, normalised, weight, bias)


def _group_norm(
    recorder: Recorder,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """``F.group_norm``."""
    if not recorder.watches(input, weight, bias):
        return None
    return _channel_scale(recorder, F.group_norm(input, num_groups, None, None, eps), weight, bias)


def _layer_norm(
    recorder: Recorder,
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """``F.layer_norm``: a scale for each entry of the last axes."""
    if not recorder.watches(input, weight, bias):
        return None
    normalised = F.layer_norm(input, normalized_shape, None, None, eps)
    shared = tuple(range(input.dim() - 1 - len(normalized_shape)))
    return _record_scale(recorder, normalised, weight, bias, tuple(normalized_shape), shared)


_RULES: dict[Callable, Callable[..., Tensor | None]] = {
    F.linear: _linear,
    F.conv1d: _convolution(F.conv1d, 1),
    F.conv2d: _convolution(F.conv2d, 2),
    F.batch_norm: _batch_norm,
    F.group_norm: _group_norm,
    F.layer_norm: _layer_norm,
}
