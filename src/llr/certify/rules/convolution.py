"""Convolutions and transposed convolutions in one, two or three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from llr.certify import _tape as tape
from llr.certify._program_run import Run, rule
from llr.certify._tape import Variable

__all__ = ["Windows", "combined", "one_per_axis", "windows"]


class Windows:
    """The places that a sliding window sees.

    Attributes:
        index: (windows, places), flat positions in the input; -1 in the padding.
        shape: of the windows.
    """

    def __init__(self, index: npt.NDArray[np.int64], shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape


def one_per_axis(value: Any, axes: int) -> list[int]:
    """One number per axis."""
    if isinstance(value, int):
        return [value] * axes
    value = list(value)
    return value * axes if len(value) == 1 else value


def windows(
    size: Sequence[int],
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """Windows over an input of the given size, as PyTorch's convolutions and pools place them."""
    axes = len(size)
    kernel, stride, padding, dilation = (
        one_per_axis(value, axes) for value in (kernel, stride, padding, dilation)
    )
    places: list[npt.NDArray[np.int64]] = []  # per axis (windows, places); -1 outside
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = room // s + 1
        if ceil_mode and room % s:
            count += 1
            if (count - 1) * s >= n + p:  # a window must begin inside the input or its padding
                count -= 1
        at = np.arange(count)[:, None] * s - p + np.arange(k) * d
        places.append(np.where((at >= 0) & (at < n), at, -1))
    return combined(size, places)


def combined(size: Sequence[int], places: Sequence[npt.NDArray[np.int64]]) -> Windows:
    """Windows from the places (windows, places) that they see along each axis; -1 outside."""
    index = np.zeros((1, 1), dtype=np.int64)
    outside = np.zeros((1, 1), dtype=bool)
    for n, at in zip(size, places, strict=True):
        index = index[:, None, :, None] * n + np.maximum(at, 0)[None, :, None, :]
        outside = outside[:, None, :, None] | (at < 0)[None, :, None, :]
        index = index.reshape(index.shape[0] * index.shape[1], -1)
        outside = outside.reshape(index.shape)
    return Windows(np.where(outside, -1, index), tuple(len(at) for at in places))


def _columns(channels: int, size: Sequence[int], groups: int, w: Windows) -> torch.Tensor:
    """Flat positions + 1 of (groups, channels per group x places, windows)."""
    whole = math.prod(size)
    index = w.index.T[None] + whole * np.arange(channels)[:, None, None]
    index = np.where(w.index.T[None] < 0, -1, index)  # (channels, places, windows)
    return torch.from_numpy(index.reshape(groups, -1, w.index.shape[0]) + 1)


@rule("convolution")
def convolution(
    run: Run,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Variable:
    """Each output is a product of the weights with a window of the input."""
    x, weight = run.lift(x), run.lift(weight)
    axes = len(weight.shape) - 2
    size, kernel = x.shape[2:], weight.shape[2:]
    if transposed:
        out = _transposed(
            run, x, weight, stride, padding, dilation, one_per_axis(output_padding, axes), groups
        )
    else:
        seen = windows(size, kernel, stride, padding, dilation)
        taken = run.move(x, lambda _: _columns(x.shape[1], size, groups, seen))
        rows, inner = weight.shape[0] // groups, weight.shape[1] * math.prod(kernel)
        out = _grouped(tape.reshape(weight, groups, rows, inner), taken)
        out = tape.reshape(out, 1, weight.shape[0], *seen.shape)
    if bias is None:
        return out
    b = run.lift(bias)
    return tape.add(out, tape.reshape(b, *b.shape, *[1] * axes))


def _grouped(left: Variable, right: Variable) -> Variable:
    """Products of matrices, one for each group; a single group as one product."""
    if left.shape[0] > 1:
        return tape.matmul(left, right)
    return tape.matmul(tape.reshape(left, *left.shape[1:]), tape.reshape(right, *right.shape[1:]))


def _transposed(
    run: Run,
    x: Variable,
    weight: Variable,
    stride: Any,
    padding: Any,
    dilation: Any,
    output_padding: list[int],
    groups: int,
) -> Variable:
    """The adjoint of a convolution from the output's size to the input's."""
    size, kernel = x.shape[2:], weight.shape[2:]
    axes = len(kernel)
    stride, padding, dilation = (one_per_axis(v, axes) for v in (stride, padding, dilation))
    out_size = [
        (n - 1) * s - 2 * p + d * (k - 1) + o + 1
        for n, k, s, p, d, o in zip(
            size, kernel, stride, padding, dilation, output_padding, strict=True
        )
    ]
    seen = windows(out_size, kernel, stride, padding, dilation)
    channels = weight.shape[1] * groups
    rows, inner = weight.shape[0] // groups, weight.shape[1] * math.prod(kernel)
    left = tape.reshape(weight, groups, rows, inner)
    left = run.move(left, lambda positions: positions.transpose(1, 2))
    right = tape.reshape(x, groups, rows, math.prod(size))
    spread = _grouped(left, right)
    spread = tape.reshape(spread, groups, inner, math.prod(size))
    return run.collect(
        spread, lambda: _columns(channels, out_size, groups, seen), (1, channels, *out_size)
    )
