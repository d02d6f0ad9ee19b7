"""A lower bound of the optimistic sample size wherever the separation size is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from llr.errors import UnsupportedModuleError
from llr.theory.sizes._optimistic_sample_size import optimistic_sample_size

__all__ = ["optimistic_bound"]


def optimistic_bound(
    model: nn.Module, target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int
) -> int:
    """The bound; 0 where nothing is known of the model's optimistic sample sizes."""
    try:
        return optimistic_sample_size(model, target).lower
    except UnsupportedModuleError:
        return 0
