"""How each layer's use of its parameters is recorded: linear, convolutions, normalisations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from llr._types import Parameters
from llr.tangent._layer_uses import AbstractUse, AffineUse, ScaleUse
from llr.tangent._model_function import ModelFunction
from llr.tangent._recorder import Recorder, Rule
from llr.tangent._samples import Samples, sample_count

__all__ = ["record_uses"]

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


_RULES: dict[Callable, Rule] = {
    F.linear: _linear,
    F.conv1d: _convolution(F.conv1d, 1),
    F.conv2d: _convolution(F.conv2d, 2),
    F.batch_norm: _batch_norm,
    F.group_norm: _group_norm,
    F.layer_norm: _layer_norm,
}


def record_uses(
    function: ModelFunction, x: Samples, names: Iterable[str]
) -> tuple[Tensor, Parameters, list[AbstractUse]]:
    """Outputs (n, c), the watched parameters, and their uses, on a batch."""
    watched = {name: function.params[name].clone().requires_grad_() for name in names}
    recorder = Recorder(watched, sample_count(x), _RULES)
    with torch.enable_grad(), recorder:
        out = function({**function.params, **watched}, x)
    return out, watched, recorder.uses
