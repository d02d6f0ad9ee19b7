"""Average and maximum pools."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from llr.certify import _tape as tape
from llr.certify._program_run import Run, rule
from llr.certify._tape import Variable
from llr.certify.rules.convolution import Windows, combined, one_per_axis, windows
from llr.certify.rules.kink import largest

__all__: list[str] = []


def _seen(run: Run, x: Variable, axes: int, w: Windows) -> Variable:
    """(..., windows, places): the entries that each window sees, 0 in the padding."""
    size = math.prod(x.shape[len(x.shape) - axes :])
    lead = math.prod(x.shape[: len(x.shape) - axes])
    index = np.where(w.index < 0, -1, w.index + size * np.arange(lead)[:, None, None])
    return run.move(x, lambda _: torch.from_numpy(index + 1))


def _shaped(x: Variable, out: Variable, axes: int, w: Windows) -> Variable:
    return tape.reshape(out, *x.shape[: len(x.shape) - axes], *w.shape)


@rule("avg_pool2d", "avg_pool3d")
def average_pool(
    run: Run,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Variable:
    """Mean over each window."""
    axes = int(run.step.name[-2])
    size = x.shape[len(x.shape) - axes :]
    w = windows(size, kernel, stride or kernel, padding, ceil_mode=ceil_mode)
    counts = np.maximum((w.index >= 0).sum(axis=1), 1).astype(float)
    if divisor_override is not None:
        counts = np.full_like(counts, float(divisor_override))
    elif count_include_pad:
        counts = _padded_counts(size, kernel, stride or kernel, padding, w)
    out = tape.multiply(tape.total(_seen(run, x, axes, w), [2]), run.reciprocal(counts))
    return _shaped(x, out, axes, w)


def _padded_counts(size: Any, kernel: Any, stride: Any, padding: Any, w: Windows) -> Any:
    """Places of each window inside the input and its padding."""
    axes = len(size)
    kernel, stride, padding = (one_per_axis(v, axes) for v in (kernel, stride, padding))
    counts = np.ones(())
    for n, k, s, p, out in zip(size, kernel, stride, padding, w.shape, strict=True):
        start = np.arange(out) * s - p
        length = np.minimum(start + k, n + p) - start
        counts = counts[..., None] * length
    return counts.reshape(-1).astype(float)


@rule("max_pool2d_with_indices", "max_pool3d_with_indices")
def maximum_pool(
    run: Run,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """Maximum over each window."""
    axes = int(run.step.name[8])
    size = x.shape[len(x.shape) - axes :]
    w = windows(size, kernel, stride or kernel, padding, dilation, ceil_mode=ceil_mode)
    return [_shaped(x, largest(run, _seen(run, x, axes, w), w.index < 0), axes, w), None]


def _adaptive(size: Any, wanted: Any) -> Windows:
    """Windows that share out the input as evenly as can be."""
    places = []
    for n, count in zip(size, wanted, strict=True):
        count = n if count is None else count
        starts = [(i * n) // count for i in range(count)]
        stops = [-((-(i + 1) * n) // count) for i in range(count)]
        width = max(b - a for a, b in zip(starts, stops, strict=True))
        at = np.array(starts)[:, None] + np.arange(width)
        places.append(np.where(at < np.array(stops)[:, None], at, -1))
    return combined(size, places)


@rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def adaptive_average_pool(run: Run, x: Any, wanted: Any) -> Variable:
    """Means over evenly shared windows."""
    axes = len(wanted)
    w = _adaptive(x.shape[len(x.shape) - axes :], wanted)
    counts = (w.index >= 0).sum(axis=1).astype(float)
    out = tape.multiply(tape.total(_seen(run, x, axes, w), [2]), run.reciprocal(counts))
    return _shaped(x, out, axes, w)


@rule("adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_maximum_pool(run: Run, x: Any, wanted: Any) -> Any:
    """Maxima over evenly shared windows."""
    axes = len(wanted)
    w = _adaptive(x.shape[len(x.shape) - axes :], wanted)
    return [_shaped(x, largest(run, _seen(run, x, axes, w), w.index < 0), axes, w), None]
