"""Samples of any shape: one tensor, a dictionary of tensors, or a tuple of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from llr.errors import InvalidInputError

__all__ = [
    "Samples",
    "as_samples",
    "batches",
    "concatenate",
    "leaves",
    "map_samples",
    "sample_count",
]

Samples: TypeAlias = Tensor | dict[str, Tensor] | tuple[Tensor, ...]
"""Samples along the first axis of each tensor."""


def map_samples(transform: Callable[[Tensor], Tensor], x: Samples) -> Samples:
    """Apply a function to every tensor of the samples."""
    if isinstance(x, Tensor):
        return transform(x)
    if isinstance(x, dict):
        return {key: transform(value) for key, value in x.items()}
    return tuple(transform(value) for value in x)


def leaves(x: Samples) -> tuple[Tensor, ...]:
    """The tensors of the samples."""
    if isinstance(x, Tensor):
        return (x,)
    return tuple(x.values()) if isinstance(x, dict) else x


def concatenate(first: Samples, second: Samples) -> Samples:
    """The samples of ``first``, then those of ``second``, which has the same form."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.cat([first, second])
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: torch.cat([value, second[key]]) for key, value in first.items()}
    return tuple(torch.cat(pair) for pair in zip(leaves(first), leaves(second), strict=True))


def sample_count(x: Samples) -> int:
    """Number of samples n."""
    return leaves(x)[0].shape[0]


def batches(x: Samples, size: int) -> Iterator[Samples]:
    """Consecutive parts of at most ``size`` samples."""
    for start in range(0, sample_count(x), size):
        yield map_samples(lambda leaf, start=start: leaf[start : start + size], x)


def _as_float64(value: object, device: torch.device) -> Tensor:
    """A tensor on the parameters' device; floating point becomes float64."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, Tensor):
        raise InvalidInputError(
            "x must be a tensor, a dictionary of tensors or a tuple of tensors, with the samples "
            f"along the first axis, got {type(value).__name__}."
        )
    if value.is_complex():
        raise InvalidInputError("x must be real, got a complex tensor.")
    value = value.detach().to(device)
    value = value if value.layout == torch.strided else value.to_dense()
    return value.to(torch.float64) if value.is_floating_point() else value


def as_samples(x: object, device: torch.device) -> Samples:
    """Check the user's inputs and bring them to float64; the user's tensors stay as they are.

    Raises:
        InvalidInputError: if x holds no tensors, no samples, or tensors of different lengths.
    """
    samples: Samples
    if isinstance(x, Mapping):
        samples = {str(key): _as_float64(value, device) for key, value in x.items()}
    elif isinstance(x, (tuple, list)):
        samples = tuple(_as_float64(value, device) for value in x)
    else:
        samples = _as_float64(x, device)
    lengths = {leaf.shape[0] if leaf.dim() else 0 for leaf in leaves(samples)}
    if len(lengths) != 1 or 0 in lengths:
        raise InvalidInputError(
            "x must hold at least one sample, with the same number of samples in each tensor "
            f"along the first axis, got the lengths {sorted(lengths)}."
        )
    for leaf in leaves(samples):
        if leaf.is_floating_point() and not bool(leaf.isfinite().all()):
            raise InvalidInputError("x must be finite, got NaN or infinity; drop those samples.")
    return samples
