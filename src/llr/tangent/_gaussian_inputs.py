"""Gaussian samples of a model's input shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples, batches, leaves, map_samples

__all__ = ["Draw", "as_the_model_takes", "fresh_inputs", "gaussian_like", "input_shape"]

Draw: TypeAlias = Callable[[int], Samples]
"""Draws new samples, given their number."""

_FAILURES = (RuntimeError, ValueError, IndexError, TypeError)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SIDES = (*range(1, 33), 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)


def input_shape(function: ModelFunction) -> tuple[int, ...]:
    """Shape of one input: the module's ``input_shape``, or what its first layer takes.

    Raises:
        InvalidInputError: if neither settles it.
    """
    module = function.module
    stated = getattr(module, "input_shape", None)
    if stated is not None:
        return tuple(int(size) for size in stated)
    if module is None:
        raise InvalidInputError(
            "x is needed: the input shape of a function (params, x) -> y is not known. "
            "Pass samples x, e.g. torch.randn(n, *shape)."
        )
    layers = (nn.Linear, *_CONVOLUTIONS)
    first = next((part for part in module.modules() if isinstance(part, layers)), None)
    candidates: list[tuple[int, ...]] = []
    if isinstance(first, nn.Linear):
        candidates = [(first.in_features,)]
    elif first is not None:
        axes = first.weight.dim() - 2
        candidates = [(first.in_channels, *[side] * axes) for side in _SIDES]
    fitting = []
    for shape in candidates:
        if len(fitting) < 2 and _accepts(function, shape):
            fitting.append(shape)
    if len(fitting) == 1:
        return fitting[0]
    found = "more than one would do" if fitting else "none was found"
    raise InvalidInputError(
        f"the shape of one input of {type(module).__name__} must be known to draw samples, and "
        f"{found}. Pass samples x, or set model.input_shape = (...)."
    )


def _accepts(function: ModelFunction, shape: tuple[int, ...]) -> bool:
    """Whether the model takes one sample of this shape."""
    one = torch.zeros(1, *shape, dtype=torch.float64, device=function.device)
    try:
        with torch.no_grad():
            function(function.params, one)
    except UnsupportedModuleError:  # of whatever shape
        raise
    except _FAILURES:
        return False
    return True


def as_the_model_takes(function: ModelFunction, x: Samples) -> Samples:
    """The samples as they are, or with integers as float64 where the model takes only these.

    Tokens stay integers, since an embedding takes no floats; a boolean mask stays one.
    """
    if all(leaf.is_floating_point() for leaf in leaves(x)) or _runs(function, x):
        return x
    floats = map_samples(lambda v: v if v.dtype == torch.bool else v.to(torch.float64), x)
    return floats if _runs(function, floats) else x


def _runs(function: ModelFunction, x: Samples) -> bool:
    """Whether the model runs on the first sample."""
    try:
        with torch.no_grad():
            function(function.params, next(batches(x, 1)))
    except _FAILURES:
        return False
    return True


def gaussian_like(x: Samples, source: torch.Generator) -> Draw | None:
    """Draws Gaussian samples with the mean and spread of each tensor; None for integers."""
    return _drawing(x, source, every=1)


def fresh_inputs(x: Samples, source: torch.Generator) -> Draw | None:
    """Draws samples in turn standard normal and with the mean and spread of each tensor of x.

    None for integers, which have no such distribution.
    """
    return _drawing(x, source, every=2)


def _drawing(x: Samples, source: torch.Generator, *, every: int) -> Draw | None:
    """Draws standard normal samples, each ``every``-th moved and scaled as x; None for integers."""
    if not all(leaf.is_floating_point() for leaf in leaves(x)):
        return None

    def draw_leaf(leaf: Tensor, count: int) -> Tensor:
        normal = torch.randn(count, *leaf.shape[1:], generator=source, dtype=leaf.dtype)
        normal = normal.to(leaf.device)
        spread = leaf.std(correction=0)
        scale = torch.where(spread > 0, spread, torch.ones_like(spread))
        normal[every - 1 :: every] = leaf.mean() + scale * normal[every - 1 :: every]
        return normal

    return lambda count: map_samples(lambda leaf: draw_leaf(leaf, count), x)
